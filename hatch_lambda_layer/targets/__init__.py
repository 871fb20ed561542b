"""Lambda runtimes as targets: tags and markers, what native code may need, what they have."""
