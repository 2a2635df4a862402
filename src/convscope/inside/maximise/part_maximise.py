"""The part `maximise`: what drives units and classes most, to see and to hear."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.figures import short
from convscope.inside.maximise.figures import images_figure, sounds_figure, traces_figure
from convscope.inside.maximise.maximise import Ascent, Maximised, maximise
from convscope.inside.maximise.objectives import logit, unit
from convscope.inside.maximise.parametrise import Samples, Spectrum, box
from convscope.inside.maximise.spoken import ASCENT as SPOKEN
from convscope.inside.maximise.spoken import spoken
from convscope.inside.maximise.windows import Scale, window_of
from convscope.inside.results.examples import pictured
from convscope.inside.results.loudness import levelled
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.progress import Tell, silent, step_of
from convscope.inside.results.writer import Axis, Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Subject, chosen_unit
from convscope.inside.tracing.layers import Layer, layer_named, layers_of
from convscope.types import Shape

MOST_LAYERS = 8
MOST_CLASSES = 16
UNIT_STEPS, CLASS_STEPS = 48, 64
RATES = (0.1, 0.3, 1.0, 3.0)  # times the rate of a class, and one way on
LONGEST_WAVE = 32  # pixels, above which the scaled spectrum of an image is flat
SHORTEST_SOUND = 0.25  # seconds; what is shorter is heard with silence behind it


def look_maximise(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """Some units of the convolutions, the classes, and one class at several rates.

    A unit has the window that it sees, its input held to an L2 norm; a class has a whole clip: of
    an image its spectrum is moved, of a sound the envelope of a voice. A layer that is asked for is
    looked at alone.

    Raises:
        NotApplicable: for a net of spectrograms that come from elsewhere.
    """
    if subject.domain == "spectrogram" and subject.spectrogram is None:
        raise NotApplicable("what makes the spectrograms is not known, and no sound can be made")
    layers = _layers(subject, choice)
    for i, layer in enumerate(layers):
        look_layer = look_classes if layer.kind == "logits" else look_units
        look_layer(subject, layer, choice, writer, step_of(writer.tell, i, len(layers)))


def look_units(
    subject: Subject, layer: Layer, choice: Choice, writer: ResultWriter, tell: Tell = silent
) -> None:
    """Units of one layer, as a batch."""
    window = window_of(layer, subject.shape)
    if subject.spectrogram is not None:
        window = window.heard(subject.spectrogram, subject.clip_shape[1], layer.shape[1] // 2)
    scale = Scale.of(subject)
    found = maximise(
        subject.whole,
        unit([f"{layer.name}:{i}" for i in _units(subject, layer, choice)], at=window.at),
        window.shape,
        ascent=Ascent(UNIT_STEPS, 0.03 * scale.half, scale.ball(window.shape)),
        parametrisation=Samples(window.shape, 0.0, 0.003 * scale.half),
        seed=choice.seed,
        layers=layers_of_whole(subject),
        progress=tell,
    )
    seen = found.inputs[(slice(None), slice(None), *window.sees)]
    title = f"{subject.name}: what drives units of {layer.name} most ({_size(subject, seen)})"
    keep(subject, writer, f"maximise_{layer.name}", replace(found, inputs=seen), title)


def look_classes(
    subject: Subject, layer: Layer, choice: Choice, writer: ResultWriter, tell: Tell = silent
) -> None:
    """Classes, as a batch, with the traces of logit and loss; and the first at several rates."""
    indices = _units(subject, layer, choice)
    found = maximise_classes(subject, indices, choice.seed, tell=step_of(tell, 0, 2))
    keep(subject, writer, "maximise_logits", found, f"{subject.name}: what drives classes most")
    names = [unit_label(subject, target) for target in found.targets]
    assert found.logits is not None
    assert found.log_probabilities is not None
    values = np.stack([found.logits, found.log_probabilities])
    kinds = axis("trace", ["logit", "log probability"])
    steps = axis("step", np.arange(len(found.logits)))
    axes = (kinds, steps, axis("class", names))
    writer.array("maximise_trace", Result(values, axes, "logit or log probability"))
    title = f"{subject.name}: the ascent of {len(names)} classes"
    writer.figure(
        "maximise_trace", traces_figure(found.logits, found.log_probabilities, names, title)
    )
    look_rates(subject, indices[0], choice.seed, writer, step_of(tell, 1, 2))


def look_rates(
    subject: Subject, index: int, seed: int, writer: ResultWriter, tell: Tell = silent
) -> None:
    """One class at several rates η: low gives texture, high gives shape."""
    base = class_ascent(subject).rate
    rates = [base * factor for factor in RATES]
    found = [
        maximise_classes(subject, [index], seed, rate, step_of(tell, i, len(rates)))
        for i, rate in enumerate(rates)
    ]
    inputs = np.concatenate([each.inputs for each in found])
    name = subject.class_name(index)
    axes = (axis("rate", rates), *sample_axes(subject, inputs.shape[1:]))
    writer.array("maximise_rate", Result(inputs, axes, "amplitude"))
    titles = [
        f"η = {rate:.2g}: logit {each.values[0]:.1f}"
        for rate, each in zip(rates, found, strict=True)
    ]
    title = f"{subject.name}: {name} at several step sizes η"
    writer.figure("maximise_rate", clips_figure(subject, inputs, titles, title))


def maximise_classes(
    subject: Subject,
    indices: Sequence[int],
    seed: int,
    rate: float | None = None,
    tell: Tell = silent,
) -> Maximised:
    """Whole clips that drive classes: a voice's envelope is moved, or an image's spectrum."""
    ascent = class_ascent(subject)
    if rate is not None:
        ascent = replace(ascent, rate=rate)
    if subject.rate_hz is not None:
        whole, shape = subject.whole, subject.clip_shape
        return spoken(whole, indices, shape, subject.rate_hz, seed, ascent, tell)
    scale = Scale.of(subject)
    return maximise(
        subject.whole,
        logit([str(i) for i in indices]),
        subject.clip_shape,
        ascent=ascent,
        parametrisation=Spectrum(
            subject.clip_shape, scale.middle, 0.02 * scale.half, 1.0, 1 / LONGEST_WAVE
        ),
        seed=seed,
        progress=tell,
    )


def class_ascent(subject: Subject) -> Ascent:
    """The steps that gave what people recognise best, for sounds and for images."""
    if subject.rate_hz is not None:
        return SPOKEN
    scale = Scale.of(subject)
    return Ascent(
        CLASS_STEPS,
        0.02 * scale.half,
        box(scale.low, scale.high),
        jitter=min(subject.clip_shape[1:]) // 16,
        decay=0.05,
        middle=scale.middle,
    )


def _layers(subject: Subject, choice: Choice) -> list[Layer]:
    """The layer or unit asked for; else some of the convolutions, evenly, and the logits."""
    chosen = chosen_unit(subject, choice)
    if chosen is not None:
        return [subject.layers[chosen.layer]]
    if choice.layer is not None:
        return [layer_named(subject.layers, choice.layer)]
    convs = [layer for layer in subject.layers.values() if layer.kind == "conv"]
    return [*_evenly(convs, MOST_LAYERS), subject.layers["logits"]]


def _evenly(values: Sequence[Layer], most: int) -> list[Layer]:
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in places]


def _units(subject: Subject, layer: Layer, choice: Choice) -> list[int]:
    """The unit asked for; else all classes of few, or the first units."""
    chosen = chosen_unit(subject, choice)
    if chosen is not None:
        return [chosen.index]
    most = MOST_CLASSES if layer.kind == "logits" else choice.n
    return list(range(min(most, layer.n_units)))


def layers_of_whole(subject: Subject) -> dict[str, Layer]:
    """The layers from a clip of full scale on, the front included."""
    return layers_of(subject.whole, torch.zeros(1, *subject.clip_shape, device=subject.device))


def unit_label(subject: Subject, target: str) -> str:
    """A unit's name, of a logit its class."""
    layer, _, index = target.partition(":")
    return subject.class_name(int(index)) if layer == "logits" else target


def keep(subject: Subject, writer: ResultWriter, name: str, found: Maximised, title: str) -> None:
    """Inputs as an array, a figure and, where they are sounds, as files to hear.

    What drives no unit is grey in the figure, and is not heard.
    """
    names = [unit_label(subject, target) for target in found.targets]
    axes = (axis("unit", names), *sample_axes(subject, found.inputs.shape[1:]))
    writer.array(name, Result(found.inputs, axes, "amplitude"))
    driven = is_driven(found)
    titles = [
        f"{each}: {short(value)}{'' if is_one else ', no gradient'}"
        for each, value, is_one in zip(names, found.values, driven, strict=True)
    ]
    seen = np.where(driven.reshape(-1, *[1] * (found.inputs.ndim - 1)), found.inputs, np.nan)
    writer.figure(name, clips_figure(subject, seen, titles, title))
    if subject.rate_hz is None:
        return
    shortest = round(SHORTEST_SOUND * subject.rate_hz)
    for each, wave, is_one in zip(names, found.inputs[:, 0], driven, strict=True):
        if not is_one:
            continue
        loud = levelled(wave)
        padded = np.pad(loud, (0, max(0, shortest - len(loud))))
        which = each.partition(":")[2] or each
        writer.sound(f"{name}_{which.replace('/', '_')}", padded, subject.rate_hz)


def is_driven(found: Maximised) -> NDArray[np.bool_]:
    """(n_examples,) whether an input drives its unit; else it is noise.

    A dead unit never moves; one that ends at exactly 0 has silenced all that enters it, and nothing
    leads on from there.
    """
    return np.asarray((np.ptp(found.trace, axis=0) > 0) & (found.values != 0))


def clips_figure(
    subject: Subject, inputs: NDArray[np.float32], names: Sequence[str], title: str
) -> Figure:
    """Sounds or images, as the subject's are."""
    if subject.rate_hz is not None:
        return sounds_figure(inputs[:, 0], names, subject.rate_hz, title)
    return images_figure(pictured(subject, inputs), names, title)


def sample_axes(subject: Subject, shape: Shape) -> tuple[Axis, ...]:
    """The axes of a clip: its channels and times, or rows and columns."""
    channels = axis("channel", np.arange(shape[0]))
    if subject.rate_hz is not None:
        return channels, axis("time", np.arange(shape[1]) / subject.rate_hz, "s")
    return channels, axis("row", np.arange(shape[1])), axis("column", np.arange(shape[2]))


def _size(subject: Subject, inputs: NDArray[np.float32]) -> str:
    """How much a unit sees, in words."""
    sizes = inputs.shape[2:]
    if subject.rate_hz is not None:
        place = "" if subject.spectrogram is None else ", in the middle of the frequencies"
        return f"it sees {1000 * sizes[0] / subject.rate_hz:.4g} ms{place}"
    return f"it sees {' × '.join(map(str, sizes))} pixels"
