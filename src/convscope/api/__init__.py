"""convscope from Python: the commands as functions, their results as records and arrays.

Recipes, specs and folders come in; opened runs, boards and looks go out, which show themselves in a
notebook. Nothing prints but bars of progress, nothing exits: mistakes are `UserError`. Imports all
rooms but `cli`; `import convscope` gives its names, each loaded when it is first used.
"""
