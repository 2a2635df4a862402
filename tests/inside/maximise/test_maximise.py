"""Gradient ascent finds what a closed form says, and leaves the model as it was."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.maximise.maximise import Ascent, maximise, of_unit_rms
from convscope.inside.maximise.objectives import channel, diversity, layer, logit, tv, unit
from convscope.inside.maximise.parametrise import Samples, Spectrum, ball, blurred, box
from convscope.inside.tracing.layers import layers_of
from convscope.inside.tracing.partial import answers_of


def net(n_axes: int, n_classes: int = 3) -> nn.Module:
    """Two convolutions and a softmax."""
    torch.manual_seed(0)
    conv, pool = (
        (nn.Conv1d, nn.AdaptiveAvgPool1d) if n_axes == 1 else (nn.Conv2d, nn.AdaptiveAvgPool2d)
    )
    return nn.Sequential(
        conv(2, 4, 5, padding=2),
        nn.ReLU(),
        conv(4, 4, 3),
        nn.BatchNorm1d(4) if n_axes == 1 else nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        pool(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(4, n_classes),
        nn.Softmax(1),
    )


SHAPES: dict[int, tuple[int, ...]] = {1: (2, 21), 2: (2, 13, 12)}

both = pytest.mark.parametrize("n_axes", [1, 2])


def cosine(one: Any, other: Any) -> float:
    one, other = np.ravel(np.asarray(one)), np.ravel(np.asarray(other))
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@both
@pytest.mark.parametrize("way", [Samples, partial(Spectrum, power=0)], ids=["samples", "spectrum"])
def test_a_linear_unit_under_an_l2_bound_has_its_own_filter_as_its_best_input(
    n_axes: int, way: Callable[[tuple[int, ...]], Any]
) -> None:
    model, shape = net(n_axes).requires_grad_(False), SHAPES[n_axes]
    names = [f"conv1:{i}" for i in range(4)]
    found = maximise(
        model,
        unit(names),
        shape,
        ascent=Ascent(steps=150, rate=0.1, bound=ball(1.0)),
        parametrisation=way(shape),
    )
    filters = model[0].weight  # type: ignore[index]
    window = tuple(slice(size // 2 - 2, size // 2 + 3) for size in shape[1:])
    for i in range(4):
        expected = torch.zeros(shape)
        expected[(slice(None), *window)] = filters[i]
        assert cosine(found.inputs[i], expected) > 0.999
        norm = float(torch.linalg.vector_norm(filters[i]))
        bias = float(model[0].bias[i])  # type: ignore[index]
        assert found.values[i] == pytest.approx(norm + bias, rel=2e-3)


@both
def test_a_spectrum_scaled_by_one_over_f_has_the_twice_scaled_filter_as_its_best_input(
    n_axes: int,
) -> None:
    model, shape = net(n_axes).requires_grad_(False), SHAPES[n_axes]
    way, sizes = Spectrum(shape), shape[1:]
    ascent = Ascent(steps=150, rate=0.1, bound=ball(1.0))
    found = maximise(model, unit("conv1:2"), shape, ascent=ascent, parametrisation=way)
    alone = torch.zeros(shape)
    window = tuple(slice(size // 2 - 2, size // 2 + 3) for size in sizes)
    alone[(slice(None), *window)] = model[0].weight[2]  # type: ignore[index]
    grid = np.meshgrid(*[np.fft.fftfreq(size) for size in sizes], indexing="ij")
    squared = np.maximum(sum(each**2 for each in grid), 1 / max(sizes) ** 2)
    axes = tuple(range(1, 1 + n_axes))
    expected = np.fft.ifftn(np.fft.fftn(alone.numpy(), axes=axes) / squared, axes=axes).real
    assert cosine(found.inputs, expected) > 0.999


def test_a_step_moves_an_input_by_the_rate_in_the_root_mean_square() -> None:
    steps = [
        maximise(net(1), logit("0"), (2, 21), ascent=Ascent(n, 0.05, bound=None)).inputs
        for n in (3, 4)
    ]
    assert np.sqrt(np.mean((steps[1] - steps[0]) ** 2)) == pytest.approx(0.05, rel=1e-4)


def test_where_the_gradient_is_0_the_input_stays() -> None:
    assert of_unit_rms(torch.zeros(2, 1, 5)).abs().max() == 0


@both
def test_a_class_climbs_by_its_logit_and_both_traces_are_kept(n_axes: int) -> None:
    model = net(n_axes)
    found = maximise(
        model, logit(["a", "c"]), SHAPES[n_axes], ascent=Ascent(20), classes=("a", "b", "c")
    )
    assert found.logits is not None
    assert found.log_probabilities is not None
    np.testing.assert_array_equal(found.trace, found.logits)
    assert found.trace.shape == (21, 2)
    assert (found.trace[-1] > found.trace[0]).all()
    with torch.no_grad():
        probabilities = model.eval()(torch.from_numpy(found.inputs))
    ends = [probabilities[0, 0], probabilities[1, 2]]
    np.testing.assert_allclose(np.exp(found.log_probabilities[-1]), ends, rtol=1e-4)


def test_a_batch_of_units_finds_what_each_finds_alone() -> None:
    start = Samples((2, 21), spread=0.0)
    names = ["act2:0", "act2:1", "act2:3"]
    together = maximise(net(1), channel(names), (2, 21), parametrisation=start)
    for name, value in zip(names, together.values, strict=True):
        alone = maximise(net(1), channel(name), (2, 21), parametrisation=start)
        assert alone.values[0] == pytest.approx(value, rel=1e-3, abs=1e-5)


def test_the_same_seed_finds_the_same_and_another_one_another() -> None:
    one, same, other = (
        maximise(net(1), unit("conv2:0"), (2, 21), ascent=Ascent(4, jitter=3), seed=seed).inputs
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_restarts_under_diversity_are_less_alike() -> None:
    objective, ascent = logit("0"), Ascent(40, 0.05)
    alike, unlike = (
        maximise(net(1), each, (2, 21), ascent=ascent, n_restarts=2).inputs
        for each in (objective, objective + 5 * diversity())
    )
    assert cosine(*unlike) < cosine(*alike) - 0.2


def test_total_variation_taken_off_gives_a_smoother_input() -> None:
    rough, smooth = (
        maximise(net(1), each, (2, 21), ascent=Ascent(40)).inputs
        for each in (unit("conv2:0"), unit("conv2:0") - 3 * tv())
    )
    assert np.abs(np.diff(smooth)).mean() < 0.7 * np.abs(np.diff(rough)).mean()


@both
def test_a_layer_is_driven_as_a_whole(n_axes: int) -> None:
    found = maximise(net(n_axes), layer("conv2"), SHAPES[n_axes], ascent=Ascent(30))
    assert found.trace[-1, 0] > 2 * found.trace[0, 0]


@both
def test_the_bound_holds_at_the_end_also_of_a_moved_spectrum(n_axes: int) -> None:
    shape = SHAPES[n_axes]
    ascent = Ascent(10, 0.5, box(0, 1), middle=0.5)
    found = maximise(
        net(n_axes), logit("1"), shape, ascent=ascent, parametrisation=Spectrum(shape, 0.5)
    )
    assert found.inputs.min() > -1e-5
    assert found.inputs.max() < 1 + 1e-5


def test_decay_pulls_to_the_middle_and_blur_comes_every_few_steps() -> None:
    ascent = Ascent(bound=None, decay=0.1, middle=1.0, blur_every=2, blur=1.0)
    inputs = torch.tensor([[[3.0, 1, 1, 1]]])
    assert ascent.tidy(inputs, 1)[0, 0].tolist() == pytest.approx([2.8, 1, 1, 1])
    assert ascent.tidy(inputs, 2)[0, 0, 1] > 1.2


@both
def test_blur_is_a_circular_gaussian(n_axes: int) -> None:
    shape = (32,) * n_axes
    click = torch.zeros(1, 1, *shape)
    click[(0, 0, *[3] * n_axes)] = 1
    distance = (np.arange(32) - 3 + 16) % 32 - 16
    line = np.exp(-(distance**2) / (2 * 1.5**2))
    expected = line if n_axes == 1 else np.outer(line, line)
    np.testing.assert_allclose(blurred(click, 1.5)[0, 0], expected / expected.sum(), atol=1e-5)


def test_a_spectrum_scaled_by_one_over_f_starts_with_low_frequencies_louder() -> None:
    way = Spectrum((1, 4096), spread=1.0)
    start = way.decode(way.start(4, torch.Generator().manual_seed(0)))
    power = torch.fft.rfft(start).abs().square().mean((0, 1))
    ratio = float(power[100:200].mean() / power[1000:2000].mean())
    assert ratio == pytest.approx((1000 * 2000) / (100 * 200), rel=0.3)


def test_a_layer_before_the_dense_one_takes_a_shorter_input() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 14, 3))
    layers = layers_of(model, torch.zeros(1, 1, 16))
    found = maximise(model, unit("conv1:1"), (1, 5), layers=layers)
    assert found.inputs.shape == (1, 1, 5)


def test_no_more_of_the_net_runs_than_is_asked_for() -> None:
    class Late(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            raise AssertionError("this should not run")

    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(28, 3))
    layers = layers_of(model, torch.zeros(1, 1, 16))
    model[3] = Late()
    clips = torch.randn(2, 1, 16)
    answers = answers_of(model, clips, {"act1": layers["act1"]})
    torch.testing.assert_close(answers["act1"], model[0](clips).relu())


class Failing(nn.Module):
    """Raises at its third forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.n_calls = net(1), 0

    def forward(self, clips: Tensor) -> Tensor:
        self.n_calls += 1
        output: Tensor = self.body(clips)
        if self.n_calls > 2:
            raise RuntimeError("no more")
        return output


@pytest.mark.parametrize("make", [lambda: net(1), Failing])
def test_the_model_is_left_as_found_also_when_it_raises(make: Callable[[], nn.Module]) -> None:
    model = make().train()
    model.get_parameter(next(iter(dict(model.named_parameters())))).grad = torch.ones(4, 2, 5)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    grads = [each.grad for each in model.parameters()]
    numbers = torch.get_rng_state()
    try:
        maximise(model, logit("0") + diversity(), (2, 21), ascent=Ascent(4), n_restarts=2)
    except RuntimeError:
        assert isinstance(model, Failing)
    assert all(module.training for module in model.modules())
    assert all(each.requires_grad for each in model.parameters())
    assert all(a is b.grad for a, b in zip(grads, model.parameters(), strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    torch.testing.assert_close(dict(model.state_dict()), weights)
    torch.testing.assert_close(torch.get_rng_state(), numbers)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("conv9:0", "conv9 is no layer of this net"),
        ("conv2:7", "conv2 has 4 units, 0 to 3"),
        ("logits:zoro", "zoro is no unit of logits"),
    ],
)
def test_a_unit_that_is_not_there_is_named(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        maximise(net(1), unit(name), (2, 21), ascent=Ascent(1), classes=("zero", "b", "c"))


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("way", [Samples, Spectrum])
def test_a_net_of_another_precision_is_driven_as_one_of_float32(
    precision: torch.dtype, way: Callable[[tuple[int, ...]], Any]
) -> None:
    def found(model: nn.Module) -> Any:
        return maximise(
            model,
            unit("conv1:1") - 0.1 * tv(),
            SHAPES[1],
            ascent=Ascent(steps=4),
            parametrisation=way(SHAPES[1]),
        )

    assert cosine(found(net(1).to(precision)).inputs, found(net(1)).inputs) > 0.99
