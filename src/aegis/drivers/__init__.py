"""Speak to the outside (Kubernetes, processes, HTTP) and know no domain."""
