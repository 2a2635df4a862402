"""The state of one machine, and how it is asked for: here, or over ssh.

A machine comes in; a `record` goes out, and from several polls a `state`. `sensor.py` and
`sensor.sh` are sent to servers as they are and import nothing of ours.
"""
