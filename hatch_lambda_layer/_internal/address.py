"""The public address of the project."""

# The URL before the path of each file of the repository, with a slash at its end; empty while there
# is none. The README's links and the schema have it from here (`hatch run docs write`).
PUBLIC_ADDRESS = ""
