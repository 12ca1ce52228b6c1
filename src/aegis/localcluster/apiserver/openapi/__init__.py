"""The OpenAPI documents: what kubectl validates, explains and merges by."""

from aegis.localcluster.apiserver.openapi.documents import Documents

__all__ = ["Documents"]
