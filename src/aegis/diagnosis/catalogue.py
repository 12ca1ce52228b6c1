"""The failure modes that are known: every file of `aegis.diagnosis.rules` that ends in a `PLUGIN`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import aegis.diagnosis.rules
from aegis.diagnosis.case import Rule


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, by the name of their file."""
    package = aegis.diagnosis.rules
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    found = [vars(module)["PLUGIN"] for module in modules if "PLUGIN" in vars(module)]
    return tuple(rule for plugin in found for rule in (plugin if isinstance(plugin, tuple) else (plugin,)))
