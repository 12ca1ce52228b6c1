"""The controllers of the local cluster: what kube-controller-manager and kube-scheduler do on a real one.

Each controller has a file that decides (pure) or is small enough to hold both, and a `sync` that compares one object
with what should be and writes the difference. `sync` never awaits: it reads and writes the API server of its own
process, so what it read cannot change before it has written.
"""
