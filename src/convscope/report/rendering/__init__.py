"""A report in its forms: one HTML file, slides, LaTeX, and the numbers as CSV.

In comes a `Document`, out go bytes by file name; nothing is written here and nothing reckoned. It
may import what `report` may. Plain text becomes markup here alone, each form escaping it in its
own way.
"""
