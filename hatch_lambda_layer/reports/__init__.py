"""What a person reads about layers."""
