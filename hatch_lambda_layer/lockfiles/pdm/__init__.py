"""`pdm.lock`, read without pdm."""
