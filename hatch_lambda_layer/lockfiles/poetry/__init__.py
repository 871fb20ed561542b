"""`poetry.lock`, which poetry exports."""
