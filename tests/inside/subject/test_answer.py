"""Nets that answer in their own way, brought to (n_clips, n_classes)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.subject.answer import OneAnswer, with_one_answer
from convscope.inside.tracing.layers import layers_of
from convscope.inside.tracing.record import record

N_CLASSES = 5


class Base(nn.Module):
    """A convolution, its mean over time, and logits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 4, 9, padding=4)
        self.dense = nn.Linear(4, N_CLASSES)

    def maps(self, clips: Tensor) -> Tensor:
        return torch.relu(self.conv(clips))

    def logits(self, clips: Tensor) -> Tensor:
        made: Tensor = self.dense(self.maps(clips).mean(2))
        return made

    def forward(self, clips: Tensor) -> Any:
        return self.logits(clips)


class Squeezed(Base):
    def forward(self, clips: Tensor) -> Tensor:
        pooled = self.maps(clips).mean(2, keepdim=True).permute(0, 2, 1)
        return torch.log_softmax(self.dense(pooled), dim=2).squeeze()


class WithMaps(Base):
    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits(clips), self.maps(clips)


class Named(Base):
    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"maps": self.maps(clips), "logits": self.logits(clips)}


class Output(NamedTuple):
    hidden: Tensor
    scores: Tensor


class AsRecord(Base):
    def forward(self, clips: Tensor) -> Output:
        return Output(self.maps(clips), self.logits(clips))


class Transposed(Base):
    def forward(self, clips: Tensor) -> Tensor:
        return self.logits(clips).T


class OverTime(Base):
    def forward(self, clips: Tensor) -> Tensor:
        return self.dense(self.maps(clips).transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


class NoChannel(Base):
    def forward(self, clips: Tensor) -> Tensor:
        return self.logits(clips[:, None])


CASES: dict[str, tuple[Callable[[], Base], str | None, bool]] = {
    "squeezed": (Squeezed, None, True),
    "tuple": (WithMaps, None, True),
    "mapping": (Named, None, True),
    "record": (AsRecord, "scores", True),
    "transposed": (Transposed, None, True),
    "over time": (OverTime, None, True),
    "no channel axis": (NoChannel, None, False),
}


def silence() -> Tensor:
    return torch.zeros(1, 1, 64)


@pytest.mark.parametrize("case", CASES)
def test_every_answer_becomes_a_row_for_each_clip_with_layers_that_are_found(case: str) -> None:
    make, output, has_channel = CASES[case]
    net = make().eval()
    made = with_one_answer(net, silence(), output, has_channel, N_CLASSES)
    clips = torch.randn(4, 1, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = Base().eval()(clips)
        if case == "squeezed":
            expected = torch.log_softmax(expected, 1)
        assert torch.allclose(made(clips), expected, atol=1e-5)
        assert torch.allclose(made(clips[:1]), expected[:1], atol=1e-5)
    layers = layers_of(made, silence())
    assert layers["logits"].shape == (N_CLASSES,)
    assert type(made).__name__ == type(net).__name__
    for n in (1, 4):
        with torch.no_grad(), record(made, layers) as recorded:
            made(clips[:n])
        assert recorded["logits"].shape == (n, N_CLASSES)
        assert recorded["act1"].shape == (n, 4, 64)


def test_a_net_that_answers_as_it_should_is_left_as_it_is() -> None:
    net = Base().eval()
    assert with_one_answer(net, silence(), None, True, 0) is net
    assert not isinstance(net, OneAnswer)


def test_what_is_taken_of_several_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with_one_answer(WithMaps().eval(), silence(), None, True, 0)
    assert "WithMaps answers with 0, 1: 0 is taken; --output names another" in caplog.text


def test_an_output_that_is_not_there_and_axes_that_cannot_be_told_are_refused() -> None:
    with pytest.raises(UserError, match=r"--output nothing: Named answers with maps, logits"):
        with_one_answer(Named().eval(), silence(), "nothing", True, 0)
    with pytest.raises(UserError, match=r"--output 1: Base answers with one tensor: leave it out"):
        with_one_answer(Base().eval(), silence(), "1", True, 0)
    with pytest.raises(
        UserError, match=r"OverTime: expected .* got \(3, 5, 64\) .* --classes FILE"
    ):
        with_one_answer(OverTime().eval(), silence(), None, True, 0)
