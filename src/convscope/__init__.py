"""Train families of small CNNs on sound and images, see where they err."""

__version__ = "0.1.0"
