"""Speech Commands, fetched, verified and unpacked; goes on where it was cut.

Out goes a folder. It may import `listing`.
"""
