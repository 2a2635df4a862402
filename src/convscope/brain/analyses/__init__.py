"""A study and nets in; what becomes of them under RUN/brain/STUDY out: encode, rsa, glm, sweep.

Here the rooms come together; nothing is computed that they do not offer. Imports all of `brain`.
"""
