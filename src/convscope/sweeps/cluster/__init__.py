"""Workers on the nodes of a Ray cluster; runs travel there and back.

The same messages as `local`, whose workers its agents start. Imports `local`, `driving` and
`planning`.
"""
