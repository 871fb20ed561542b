"""Wheels: selected from a lock, fetched, verified and kept."""
