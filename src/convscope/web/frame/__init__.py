"""What all pages of the explorer share.

Folders come in; the runs in them, templates, assets, news and the rules of security go out. Imports
`run`, `scores`, `errors` and `names`; it knows no page.
"""
