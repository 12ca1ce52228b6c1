"""Tables as kubectl prints them: the columns of each kind, and the cells of an object."""

from aegis.localcluster.apiserver.tables.rendering import table

__all__ = ["table"]
