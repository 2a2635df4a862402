"""Whether a cell of a sweep may start on a machine, or must make way for other people.

A record and limits come in; a reason to wait, or none, goes out. Imports nothing else of `servers`.
"""
