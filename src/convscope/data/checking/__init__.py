"""What is in a data folder: counts, and what is broken or suspicious, by name.

In come a folder or a loaded `Dataset`, out go records, tables and warnings. It may import
`decoding`, `listing` and `dataset`.
"""
