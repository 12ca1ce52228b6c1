"""Admission: what the cluster's own state says to a write, between defaults and the store."""

from aegis.localcluster.apiserver.admission.gate import Gate
from aegis.localcluster.apiserver.admission.request import Request

__all__ = ["Gate", "Request"]
