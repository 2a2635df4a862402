"""Units: how active each is, which are dead, what each selects, which clips drive it most.

A net and a data set come in, batch by batch; figures for each unit go out, by the parts `dead` and
`top`, and `across_runs` for a sweep. Imports `results`, `subject`, `tracing`; no other capability.
"""
