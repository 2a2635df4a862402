"""One file in, one clip of the net's rate, length or size out, with notes of what is wrong with it.

A file that cannot be used raises `Unreadable`. It may import `listing`, `dataset` and the settings.
"""
