"""Two nets beside each other: alike layers (CKA), matched units, clips on which they disagree.

Two runs come in; tables and pictures go out, by the part `compare`. Imports `results`, `subject`,
`tracing`; no other capability.
"""
