"""Polling all servers again and again, and telling others: history, usage, webhook, Prometheus.

A servers file comes in; every tick each listener gets the states. Imports all other rooms but
`demo`.
"""
