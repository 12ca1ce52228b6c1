"""The runtime watch: what the pods of the sandboxed mode really do, as Falco would tell it."""
