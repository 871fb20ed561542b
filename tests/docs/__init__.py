"""The documentation: `python -m tests.docs write` makes what is made from the code."""
