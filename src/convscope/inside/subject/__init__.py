"""What is looked at, and on which clips: a run of ours, or any module with clips of its own.

A path comes in; a `Subject` with its net, layers and example clips goes out, and its clips batch by
batch. Imports `tracing` alone.
"""
