"""Clips that are probably mislabelled or broken.

A net and labelled clips come in; suspects, a list to exclude, and the gain of training without them
go out, by the part `clean`. Judges by the features of `probing`; else imports `results`, `subject`,
`tracing`.
"""
