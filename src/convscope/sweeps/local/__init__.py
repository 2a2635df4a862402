"""Worker processes on this machine: one for each slot, or several cells together in one.

Cells come in as messages; run folders go out. Imports `driving` and `planning`.
"""
