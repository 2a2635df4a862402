"""Gradient accumulation: a batch in micro-batches where memory is short, with the same gradient.

Also what memory holds: whether an error says that it is too small, the peak, freed memory kept.
Imports the config alone.
"""
