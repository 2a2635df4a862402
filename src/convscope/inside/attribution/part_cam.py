"""The part `cam`: where in a clip the net finds the class it takes it for."""

import numpy as np

from convscope.inside.attribution.cam import CAMS, ClassMap
from convscope.inside.attribution.class_head import average_head
from convscope.inside.attribution.figures import (
    MappedPicture,
    picture_maps_figure,
    sound_map_figure,
)
from convscope.inside.results.examples import (
    Shown,
    directions,
    input_axes,
    pictured,
    shown,
    waveform_of,
)
from convscope.inside.results.loudness import levelled
from convscope.inside.results.masked_sound import masked, masked_in_frequency
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.stages import stages_of
from convscope.inside.subject.subject import Choice, Subject, chosen_unit
from convscope.inside.tracing.target import Target
from convscope.types import Waveform

TITLES = {"cam": "CAM", "grad_cam": "Grad-CAM"}


def look_cam(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """CAM of some clips where the net ends in a global average, else Grad-CAM; its name says which.

    By the class that each clip is taken for, or the one chosen as `logits:NAME`; a layer chosen is
    the one whose maps Grad-CAM adds up. Of sounds also what the net heard, beside the clip.

    Raises:
        NotApplicable: where there are no clips, or no layer has maps to lay over them.
    """
    clips = shown(subject, choice.n)
    if not any(max(layer.shape[1:], default=1) > 1 for layer in subject.layers.values()):
        raise NotApplicable("no layer has a map of more than one position to lay over a clip")
    layer = None if choice.layer in (None, "logits") else choice.layer
    head = None if layer else average_head(subject.net, clips.inputs[:1])
    is_cam = head is not None
    method = "cam" if is_cam else "grad_cam"
    classes = _classes(subject, choice, clips)
    found = CAMS[method](subject.net, clips.inputs, Target(unit=classes), layer)
    name = "cam" if is_cam else "cam_grad_cam"
    about = f"{subject.name}: {TITLES[method]} of {_stage(subject, found.layer)}"
    if found.is_stretched:
        about += ", stretched over the clip: what its units see of it is not known"
    _put_array(subject, clips, found, name, writer)
    if subject.domain == "waveform" and subject.rate_hz:
        _put_waveforms(subject, clips, found, name, about, classes, writer)
    else:
        _put_pictures(subject, clips, found, name, about, classes, writer)


def _stage(subject: Subject, layer: str) -> str:
    """A layer as it is called everywhere."""
    of_layers = {each.name: name for name, each in stages_of(subject.layers).items()}
    return "the averaged maps" if layer == "maps" else of_layers.get(layer, layer)


def _classes(subject: Subject, choice: Choice, clips: Shown) -> list[int]:
    """The class that is explained of each clip."""
    unit = chosen_unit(subject, choice)
    if unit is None:
        return [int(k) for k in clips.predicted]
    if unit.layer != "logits":
        raise NotApplicable(f"it shows where a class is found, and {unit} is none: logits:CLASS")
    return [unit.index] * len(clips)


def _put_array(
    subject: Subject, clips: Shown, found: ClassMap, name: str, writer: ResultWriter
) -> None:
    axes = (axis("clip", clips.names), *input_axes(subject)[1:])
    writer.array(name, Result(found.over_clip, axes, "map"))


def _put_waveforms(
    subject: Subject,
    clips: Shown,
    found: ClassMap,
    name: str,
    about: str,
    classes: list[int],
    writer: ResultWriter,
) -> None:
    assert subject.rate_hz
    for i, clip in enumerate(clips.names):
        wave = waveform_of(subject, clips.examples, i)
        sound = masked(wave, found.shares[i])
        title = f"{about}, for {subject.class_name(classes[i])}\n{clips.titles[i]}"
        figure = sound_map_figure(title, wave, sound, found.shares[i], subject.rate_hz)
        writer.figure(f"{name}_{clip}", figure)
        _put_sounds(clip, name, wave, sound, subject.rate_hz, writer)


def _put_pictures(
    subject: Subject,
    clips: Shown,
    found: ClassMap,
    name: str,
    about: str,
    classes: list[int],
    writer: ResultWriter,
) -> None:
    values, shares = pictured(subject, clips.inputs.float().cpu().numpy()), found.shares
    if subject.domain == "spectrogram":
        shares = pictured(subject, shares)
        about += f"\n{directions(subject)}"
    pictures = [
        MappedPicture(_title(subject, clips, i, k, found), values[i], shares[i])
        for i, k in enumerate(classes)
    ]
    writer.figure(name, picture_maps_figure(about, pictures, input_axes(subject)[1:]))
    if subject.spectrogram is None or not subject.rate_hz:
        return
    for i, clip in enumerate(clips.names):
        wave = waveform_of(subject, clips.examples, i)
        sound = masked_in_frequency(wave, found.shares[i], subject.spectrogram)
        _put_sounds(clip, name, wave, sound, subject.rate_hz, writer)


def _title(subject: Subject, clips: Shown, i: int, k: int, found: ClassMap) -> str:
    nothing = "" if found.shares[i].any() else "\nnothing speaks for it"
    return f"{clips.names[i]}: {subject.class_name(k)}{nothing}"


def _put_sounds(
    clip: str, name: str, wave: Waveform, sound: Waveform, rate_hz: int, writer: ResultWriter
) -> None:
    """The clip and what was heard, by the same gain, as one is a part of the other."""
    gain = np.abs(levelled(wave)).max() / (np.abs(wave - wave.mean()).max() or 1)
    writer.sound(f"{name}_{clip}_clip", wave * gain, rate_hz)
    writer.sound(f"{name}_{clip}_heard", sound * gain, rate_hz)
