"""Classes of sounds maximised through a voice: what of a word a net goes by, in bands and time.

    max over c in [0, 6] of the mean over sources and shifts of
        logit(voice(c)) − 2 mean |c| − 10 TV(c)

by an envelope c instead of samples, each step with another source and shift, so that what is found
does not hang on one of them, and with silence where sound does not help.

Source: A. Athalye and others, Synthesizing Robust Adversarial Examples (2018), for the mean over
transformations; see `voice` for the rest.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from convscope.inside.maximise.maximise import Ascent, Maximised, Progress, maximise
from convscope.inside.maximise.objectives import logit, lp, tv
from convscope.inside.maximise.parametrise import Spectrum, box
from convscope.inside.maximise.voice import Voice
from convscope.inside.tracing.target import number_of
from convscope.inside.tracing.untouched import untouched
from convscope.types import Shape

LOUDEST = 6.0  # nepers above the hiss: 52 dB
ASCENT = Ascent(steps=150, rate=0.03, bound=box(0, LOUDEST))
LOUDNESS, VARIATION = 2.0, 10.0  # weights of mean |c| and TV(c)
START, SPREAD = (
    2.0,
    0.05,
)  # nepers: all bands sound at first, and fall silent where they do not help
LOWEST = 1 / 20  # cycles a band or frame, below which all are scaled alike
SHIFT_S = 0.05
HUSH = 4.0  # what is heard has 35 dB less hiss than the class was sought in


def spoken(
    model: nn.Module,
    indices: Sequence[int],
    clip_shape: Shape,
    rate_hz: int,
    seed: int = 0,
    ascent: Ascent = ASCENT,
    progress: Progress | None = None,
) -> Maximised:
    """Sounds that drive classes, all as one batch.

    Args:
        model: from waveforms (n, 1, n_times) of full scale 1 to logits; it is left as found.
        indices: of the classes.
        clip_shape: (1, n_times).
        rate_hz: samples a second.
        seed: of the starts, the sources and the shifts.
        ascent: of envelopes, in nepers.
        progress: called after each step.

    Returns:
        Waveforms as `inputs`; as `values` the logits that they have themselves.
    """
    device, (_, n_times) = number_of(model).device, clip_shape
    voice = Voice(n_times, rate_hz, seed, SHIFT_S).to(device)
    found = maximise(
        nn.Sequential(voice, model),
        logit([str(i) for i in indices]) - LOUDNESS * lp(1) - VARIATION * tv(),
        voice.shape,
        ascent=ascent,
        parametrisation=Spectrum(voice.shape, START, SPREAD, lowest=LOWEST),
        seed=seed,
        progress=progress,
    )
    heard = Voice(n_times, rate_hz, seed + 1, hush=HUSH).to(device)
    with torch.no_grad(), untouched(model):
        inputs = heard(torch.from_numpy(found.inputs).to(device))
        logits = model(inputs.to(number_of(model).dtype))[range(len(indices)), list(indices)]
    return replace(found, inputs=inputs.cpu().numpy(), values=logits.float().cpu().numpy())
