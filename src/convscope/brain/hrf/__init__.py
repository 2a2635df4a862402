"""From neural activity to BOLD: canonical responses, delays, drifts, none across a run's border.

Imports `records` and `settings` alone.
"""
