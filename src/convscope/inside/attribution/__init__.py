"""Attribution: where in a clip an answer comes from, and how far that can be trusted.

A net, clips and a target come in; maps over the input go out: gradients and deconvnet under
backward `rules`, `occlusion`, `cam` and its kin, judged by `faithfulness` and `randomised` weights;
by the parts `deconv`, `cam`, `attributions`, `faithfulness`. Imports `results`, `subject`,
`tracing`; no other capability.
"""
