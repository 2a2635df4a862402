"""Bars of progress: of any long computation, of a training, of a sweep.

How far something is comes in; a bar on standard error goes out, or one below a notebook's cell.
They import what they show: `training.fit` and `sweeps.driving`.
"""
