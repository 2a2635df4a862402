"""The explorer: run folders in, pages out, on this machine and without any other.

Each page is a room of its own (`board`, `run`, `sweep`): pure functions from what the folders hold
to records, a router that turns a request into them, and a template. `frame` holds what all pages
share: the runs, security, templates, live news. Imports all rooms but `cli`; what is slow to import
waits until a page needs it, so that the explorer answers at once.

A new page is (1) a room with a `router`, (2) its entry in `app.PAGES`, (3) a template that extends
`base.html`, (4) a test through the fixture `explorer`; docs/explorer.md shows one whole.
"""
