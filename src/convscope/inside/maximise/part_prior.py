"""The part `prior`: what drives the classes most among what clips of the data set may be."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from convscope.inside.maximise.maximise import Ascent, Maximised, maximise
from convscope.inside.maximise.objectives import logit
from convscope.inside.maximise.part_maximise import MOST_CLASSES, keep
from convscope.inside.maximise.prior import Latent, Prior, train_prior
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.progress import step_of
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Subject
from convscope.models.weights import load_weights
from convscope.run import within, write_atomically
from convscope.types import Shape

FILE = "prior.safetensors"
FEWEST_CLIPS = 64
N_RESTARTS = 4


@dataclass(frozen=True)
class _About:
    """What a prior was made for: with another one it is trained again."""

    shape: Shape
    rate_hz: int | None
    n_clips: int
    first_clip: str
    seed: int


def look_prior(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """The best of four restarts for each class, over the code of a prior trained on the clips."""
    if subject.examples is None or len(subject.examples) < FEWEST_CLIPS:
        raise NotApplicable(f"a prior needs {FEWEST_CLIPS} clips to learn from: give --clips DIR")
    if subject.examples.clips.dtype == np.float32:
        raise NotApplicable("a prior is learned from clips of full scale: leave out --preprocess")
    prior = prior_of(subject, choice.seed, writer)
    n_classes = min(MOST_CLASSES, subject.layers["logits"].n_units)
    found = maximise(
        subject.whole,
        logit([str(i) for i in range(n_classes)]),
        subject.clip_shape,
        ascent=Ascent(steps=64, rate=0.1),
        parametrisation=Latent(prior),
        n_restarts=N_RESTARTS,
        seed=choice.seed,
        progress=step_of(writer.tell, 1, 2),
    )
    title = f"{subject.name}: what drives classes most, under a learned prior"
    keep(subject, writer, "prior_logits", best_restarts(found, N_RESTARTS), title)


def best_restarts(found: Maximised, n_restarts: int) -> Maximised:
    """Of each target's restarts the one of the largest value."""
    values = found.values.reshape(-1, n_restarts)
    chosen = np.arange(len(values)) * n_restarts + values.argmax(1)
    return Maximised(
        inputs=found.inputs[chosen],
        targets=tuple(found.targets[i] for i in chosen),
        values=found.values[chosen],
        trace=found.trace[:, chosen],
        logits=None if found.logits is None else found.logits[:, chosen],
        log_probabilities=(
            None if found.log_probabilities is None else found.log_probabilities[:, chosen]
        ),
    )


def prior_of(subject: Subject, seed: int, writer: ResultWriter) -> Prior:
    """The prior kept among the results, where it was made for these clips; else a new one, kept."""
    examples = subject.examples
    assert examples is not None
    about = _About(subject.clip_shape, subject.rate_hz, len(examples), str(examples.ids[0]), seed)
    with torch.random.fork_rng([]):  # its first weights are random
        prior = Prior(subject.clip_shape, subject.rate_hz)
    path, said = within(writer.folder, FILE), json.dumps(asdict(about))
    if path.is_file() and _made_for(path) == said:
        load_weights(prior, path)
        return prior.to(subject.device).eval().requires_grad_(False)

    def clips(indices: Tensor) -> Tensor:
        return subject.scaled(examples.clips[np.sort(indices.numpy())]).cpu()

    tell = step_of(writer.tell, 0, 2)
    train_prior(prior, clips, len(examples), seed=seed, progress=tell)
    content = safetensors.torch.save(prior.state_dict(), {"made_for": said})
    write_atomically(path, lambda file: file.write(content))
    writer.made.append(path)
    return prior.to(subject.device)


def _made_for(path: Path) -> str | None:
    """What the prior in a file was made for; None of a damaged file: another takes its place."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("made_for")
    except safetensors.SafetensorError:
        return None
