"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Several suites share the cores of a machine: how long an example took there says nothing about it.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")
