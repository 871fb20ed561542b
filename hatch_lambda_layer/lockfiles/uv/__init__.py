"""`uv.lock`: exported by uv, and compared here with the projects that it was made from."""
