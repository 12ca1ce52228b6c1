"""AEGIS: no fix reaches a Kubernetes cluster unverified, and no runtime alert goes unanswered."""

__version__ = "0.1.0"
