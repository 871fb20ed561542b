"""The public address of the project."""

# The URL of the repository, which ends with a slash; empty while there is none. Messages, metadata
# and the schema have it from here, and links of the README are relative as long as it is empty.
PUBLIC_ADDRESS = ""
