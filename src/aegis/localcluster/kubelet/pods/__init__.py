"""The life of a pod: what is decided (pure modules), and the worker that does it."""
