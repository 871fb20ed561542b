"""`poetry.lock`, read without poetry."""
