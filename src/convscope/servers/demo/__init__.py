"""A made-up lab, its people and a made-up Google, so that all of it can be tried without either.

Imports every other room.
"""
