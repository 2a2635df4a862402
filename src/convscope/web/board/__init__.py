"""All runs at once: the board, its grid, parallel coordinates, and two runs beside each other.

Rows of `scores` and a question (which, in which order, as what) come in; tables, points and lines
as records for templates go out. Imports `frame` and `scores`. What decides a number is in `scores`
alone, so that a page and `convscope board` never disagree.
"""
