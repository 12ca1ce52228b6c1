"""What makes an object invalid, kind by kind: pure functions from an object to its faults."""

from aegis.localcluster.apiserver.validation.dispatch import validate

__all__ = ["validate"]
