"""The order of a build: of one layer, and of all layers of a project."""
