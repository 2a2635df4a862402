"""Activation maximisation: the made-up sound or image that drives a unit most.

A net and an objective come in; inputs in a parametrisation (samples, spectrum, voice, learned
prior) go out, by the parts `maximise` and `prior`. Imports `results`, `subject`, `tracing`; no
other capability.
"""
