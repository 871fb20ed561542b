"""The findings about the packages that are most used with Lambda, as a table for the docs."""
