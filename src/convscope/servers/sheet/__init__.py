"""The lab's Google Sheet: a table of servers that lives beside people's own cells.

States and bookings come in; cells go out, under a lease so that two collectors never write at once.
Imports `bookings` and `sensing`.
"""
