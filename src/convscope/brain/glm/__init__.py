"""The general linear model: a design a run, contrasts, t and z maps, and their thresholds.

Volumes and designs come in as arrays; maps over targets go out. Imports `hrf`, `inference`,
`records` and `settings`.
"""
