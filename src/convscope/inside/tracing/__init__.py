"""The only hooks on a net: which layers it has, what they answer, what each position sees.

A module and a clip come in; layers, fields, recorded maps and targets to differentiate go out. The
module is left as it was found. Imports nothing else of `inside`.
"""
