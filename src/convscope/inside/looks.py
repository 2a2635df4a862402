"""The parts of a look inside, by the names under which a user asks for them."""

from convscope.inside.attribution.part_attributions import look_attributions
from convscope.inside.attribution.part_cam import look_cam
from convscope.inside.attribution.part_deconv import look_deconv
from convscope.inside.attribution.part_faithfulness import look_faithfulness
from convscope.inside.cleaning.part import look_clean, look_clean_refit
from convscope.inside.compare.part import look_compare
from convscope.inside.filters.part_filters import look_filters
from convscope.inside.filters.part_response import look_response
from convscope.inside.maps.part import look_maps
from convscope.inside.maximise.part_maximise import look_maximise
from convscope.inside.maximise.part_prior import look_prior
from convscope.inside.probing.part_features import look_features
from convscope.inside.probing.part_probe import look_probe
from convscope.inside.results.parts import Part
from convscope.inside.units.part_dead import look_dead
from convscope.inside.units.part_top import look_top

PARTS: dict[str, Part] = {
    "filters": Part("the weights", look_filters),
    "response": Part("filters in Hz: centre, bandwidth, beside hearing", look_response),
    "maps": Part("what each layer makes of a clip", look_maps),
    "dead": Part("dead, saturated, duplicate units; units of one class", look_dead),
    "top": Part("the clips that drive a unit most and least", look_top),
    "maximise": Part("inputs that drive units and classes most", look_maximise),
    "deconv": Part("deconvnet: what of a clip drove a unit", look_deconv),
    "cam": Part("where a class is seen or heard", look_cam),
    "attributions": Part("saliency, integrated gradients and others", look_attributions, False),
    "faithfulness": Part("how far attributions can be trusted", look_faithfulness, False),
    "probe": Part("how well a simple classifier does on each layer", look_probe, False),
    "features": Part("a layer's features, for other programs", look_features, False),
    "compare": Part("two runs: layers, filters, confusions", look_compare, False),
    "clean": Part("clips likely mislabelled, broken or ambiguous", look_clean, False),
    "clean-refit": Part("the same, with five trainings anew", look_clean_refit, False),
    "prior": Part("maximisation over what a small generator draws", look_prior, False),
}
