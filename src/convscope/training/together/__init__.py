"""Several cells of one architecture trained at once in one process, each as it would be alone.

Cells and their data come in; a run for each goes out. Imports all of `training`.
"""
