"""Texts about layers: the table of one, the difference of two."""
