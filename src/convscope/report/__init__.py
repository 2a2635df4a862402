"""Pages that hold all that they show, and the report of many runs.

In come run folders and results of studies, read only; out go files, each written whole.
`document` is what a report says and `rendering` its forms; `making` puts the two together. The
pages of the demo, of wrong clips and of a study stand beside them. It may import all that stands to
the right of `report` in CONTRIBUTING.md.
"""
