"""One scanner a file, each ending in a PLUGIN."""
