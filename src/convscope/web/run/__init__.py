"""One run: its curves, layers, scores, confusions, and the clips behind each of them.

A run folder comes in; records for templates, pictures and sounds go out. Imports `frame`, and from
outside `scores`, `training`, `inside` for maps over clips; what needs torch waits until it is asked
for. A net is built only where the command line would build it without `--trust-code`.
"""
