"""How sure a score is: noise ceilings, bootstrap intervals, permutations, false discovery rates.

Arrays come in and go out. Imports `records` and `settings` alone.
"""
