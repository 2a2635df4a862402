"""A study file and the files that it names in; a `Study` and what is to be said of it out.

Imports `records`, `settings`, `hrf` and what decodes sounds and images in `data`.
"""
