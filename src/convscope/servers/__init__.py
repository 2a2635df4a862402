"""Shared machines: reading their state, and whether a training may start on one."""
