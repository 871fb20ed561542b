"""Requirements files, which pip resolves."""
