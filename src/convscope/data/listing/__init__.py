"""Which clips a data folder or a list has: their class, their split, and what is passed over.

In come a folder or a CSV file, out go `ClipFile` records; no clip is opened. It may import the
settings of data (`config`, `hosts`), nothing else of data.
"""
