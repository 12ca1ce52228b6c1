"""One gate a file, each ending in a PLUGIN."""
