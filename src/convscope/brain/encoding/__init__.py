"""Encoding models: ridge regression from features to responses, tested on what was left out.

Features, responses and folds come in as arrays; held-out predictions, r, R² and the penalties go
out. Imports `inference`, `hrf`, `records` and `settings`.
"""
