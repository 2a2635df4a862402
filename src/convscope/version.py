"""The version, apart from the package's names so that every module may ask for it."""

__version__ = "0.1.0"
