"""Train families of small CNNs on sound and images, see what they learned."""

__version__ = "0.1.0"
