"""Which Kubernetes the server says it is."""

from typing import Final

VERSION: Final = "v1.33.0"
"""The version whose behaviour is served: within kubectl's skew of the current client, and known to Debian's."""
