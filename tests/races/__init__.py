"""Builds and publications that are killed, or that run at once, as often as one likes."""
