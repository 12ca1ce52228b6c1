"""Rootless sandboxes: who makes the namespaces, what runs inside them, and how to speak to it."""
