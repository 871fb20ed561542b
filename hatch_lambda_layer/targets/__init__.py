"""Lambda runtimes as targets: their tags and markers, and what native code may ask of them."""
