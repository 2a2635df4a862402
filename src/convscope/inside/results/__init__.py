"""What a part of a look leaves: arrays, tables, pictures and sounds in a folder, and its index.

Named arrays and figures come in; files go out, moved to their place whole. What several parts draw
or play alike is here too. Imports `subject` and `tracing`.
"""
