"""One cause a file, each ending in a PLUGIN."""
