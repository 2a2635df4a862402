"""What a net of sound or of images has learned: any `nn.Module`, left as it was found.

from convscope.inside import maximise, record, tv, unit

with record(model, ["conv1", "logits"]) as recorded:
    model(clips)
best = maximise(model, unit("conv3:17") - 0.1 * tv(), shape=(1, 16000))
"""

from convscope.inside.attribution.cam import cam, grad_cam, grad_cam_pp, layer_cam, score_cam
from convscope.inside.attribution.faithfulness import faithfulness
from convscope.inside.attribution.gradients import (
    deconvnet,
    gradient_times_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from convscope.inside.attribution.occlusion import occlusion
from convscope.inside.compare.cka import cka
from convscope.inside.filters.effective import effective_filters
from convscope.inside.filters.response import frequency_response
from convscope.inside.maps.maps import feature_maps
from convscope.inside.maps.stft import stft
from convscope.inside.maximise.maximise import Ascent, maximise
from convscope.inside.maximise.objectives import channel, diversity, l2, layer, logit, lp, tv, unit
from convscope.inside.maximise.parametrise import Samples, Spectrum, ball, box
from convscope.inside.probing.features import features
from convscope.inside.tracing.layers import layers_of
from convscope.inside.tracing.record import record
from convscope.inside.tracing.target import Target
from convscope.inside.units.dead import dead_units
from convscope.inside.units.top_clips import top_clips

__all__ = [
    "Ascent",
    "Samples",
    "Spectrum",
    "Target",
    "ball",
    "box",
    "cam",
    "channel",
    "cka",
    "dead_units",
    "deconvnet",
    "diversity",
    "effective_filters",
    "faithfulness",
    "feature_maps",
    "features",
    "frequency_response",
    "grad_cam",
    "grad_cam_pp",
    "gradient_times_input",
    "guided_backprop",
    "integrated_gradients",
    "l2",
    "layer",
    "layer_cam",
    "layers_of",
    "logit",
    "lp",
    "maximise",
    "occlusion",
    "record",
    "saliency",
    "score_cam",
    "smooth_grad",
    "stft",
    "top_clips",
    "tv",
    "unit",
]
