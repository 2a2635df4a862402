"""Which clips a data folder or a list has: their class, their fields, and what is passed over.

In come a folder or a CSV file and a recipe's settings, out go `ClipFile` records, by folders, a
list or a pattern, in the splits that these say; no clip is opened. It may import the settings of
data (`config`, `labelling`, `pattern`, `hosts`) and `disk`, nothing else of data.
"""
