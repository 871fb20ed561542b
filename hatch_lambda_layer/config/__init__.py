"""`[tool.lambda-layer]` and the rest of `pyproject.toml`, read once into frozen values."""
