"""Clips, decoded once, in parallel, and mapped into memory ever after.

In come clip files and a decoder, out go arrays. It may import `listing` and `dataset`.
"""
