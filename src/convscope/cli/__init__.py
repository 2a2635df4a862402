"""The commands: parse, call, print. Heavy imports wait until a command needs them."""

from convscope.cli.app import main

__all__ = ["main"]
