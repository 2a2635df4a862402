"""Which clips are trained on, validated and tested: by hash, exact shares, lists or folds.

In come `ClipFile` records and a recipe's settings, out go the same records in other splits. Whole
groups stay on one side. It may import the settings of data and the room `listing`, nothing else.
"""
