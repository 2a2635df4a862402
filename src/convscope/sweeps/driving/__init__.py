"""Who trains what when: the loop of a sweep, its folder, its pace, and its manners.

A plan and pools of workers come in; runs go out. Imports `planning`; it knows no kind of pool.
"""
