"""From a recipe's grid to the cells there are to train, and what they will take. Pure.

Recipes and `key=a,b` come in; a plan with estimates of time and memory goes out. Imports no other
room of `sweeps`.
"""
