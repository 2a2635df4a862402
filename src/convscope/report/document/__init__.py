"""What a report says, before it is written in any form.

In come runs, read once into groups of the same data; out goes a `Document` of sections, each of
sentences, tables, pictures, sounds and commands. Every sentence is computed from results, by pure
functions, in words that a catalogue holds. It may import what `report` may, and nothing of
`report.rendering`, which only writes down what stands here.
"""
