"""The embedded Kubernetes API server: speaks the API well enough for kubectl, kopf and any other client.

State is kept in memory only: a cluster of this kind is thrown away with its process. Whatever is not implemented
answers 501 with a Status, never success.
"""
