"""Filters: their weights, their frequency responses in Hz, what several layers make together.

Weights come in; responses, centre frequencies and pictures go out, by the parts `filters` and
`response`. Imports `results`, `subject`, `tracing`; no other capability.
"""
