"""Probes: linear classifiers on the features of each layer.

A net and labelled clips come in; features and what can be read from them go out, by the parts
`features` and `probe`. Imports `results`, `subject`, `tracing`; no other capability.
"""
