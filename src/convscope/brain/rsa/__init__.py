"""Representational similarity: distances between the answers to stimuli, in a net and in a brain.

Features and responses come in as arrays; matrices of distances, their similarity, its ceiling and
interval go out. Imports `inference`, `records` and `settings`.
"""
