"""From neural activity to BOLD: canonical responses, delays, drifts; nothing crosses a run's border.

Imports `records` and `settings` alone.
"""
