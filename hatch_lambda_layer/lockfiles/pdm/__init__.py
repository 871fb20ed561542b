"""`pdm.lock`, which is read here after pdm has checked it."""
