"""Numbers that describe stimuli: what a net's layers answer, and controls that need no net.

Stimuli and a net come in; a `FeatureSpace` for each layer and each control goes out. Imports
`records` and `settings`, and the layers of a net from `inside`.
"""
