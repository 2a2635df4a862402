"""Sweeps: how their cells stand, what is left, and to try again or leave out some of them.

Folders of sweeps come in, rows and cells for templates go out. What is changed goes through the
same functions as `convscope sweeps`, and by POST alone. Imports `frame` and `sweeps`.
"""
