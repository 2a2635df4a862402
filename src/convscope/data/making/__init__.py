"""Synthesised words: a folder of clips in the layout of Speech Commands, spoken by espeak-ng.

Out go files, to be read like recordings. It may import `listing`.
"""
