"""What the server fills in where a manifest is silent, kind by kind, as Kubernetes does when it decodes an object."""

from aegis.localcluster.apiserver.defaults.kinds import apply_defaults

__all__ = ["apply_defaults"]
