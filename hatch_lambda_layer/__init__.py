"""Build AWS Lambda layers for Python from a lockfile, as a Hatch plugin and a command."""

__version__ = "0.1.0"
