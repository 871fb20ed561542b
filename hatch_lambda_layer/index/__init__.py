"""Package indexes: who is sent credentials, and what is fetched over HTTP."""
