"""Twelve public projects, locked by every tool and built: do the tools give the same layers?

`python -m tests.real_projects --help` says how. What the projects need is what the package index
says when this runs, and nothing of it is kept here.
"""
