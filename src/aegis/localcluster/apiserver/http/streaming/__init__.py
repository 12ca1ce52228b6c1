"""Connections that outlive a request: exec, attach and port-forward, over SPDY/3.1 and over WebSocket."""
