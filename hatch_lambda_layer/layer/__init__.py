"""A layer: what goes into it and where, its size, its zip and its manifest."""
