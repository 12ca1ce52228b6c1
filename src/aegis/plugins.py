"""Finding plug-ins: each module of a package ends in a `PLUGIN`. A file dropped in is found; one without it is an error."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any, Final

from aegis.errors import Defect

_ATTRIBUTE: Final = "PLUGIN"


@cache
def discover(package: str, protocol: type[Any]) -> tuple[Any, ...]:
    """The plug-ins of a package, in the order of their modules' names; looked for once.

    Args:
        package: dotted name, as `aegis.diagnosis.rules`. Modules whose names begin with an underscore are no plug-ins.
        protocol: what each must be.

    Raises:
        Defect: if a module has no PLUGIN, if a PLUGIN lacks a member, or if two have one `name`.
    """
    folder = importlib.import_module(package)
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__) if not module.name.startswith("_"))
    plugins = tuple(_plugin(f"{package}.{name}", protocol) for name in names)
    _refuse_twins(package, plugins)
    return plugins


def _plugin(module_name: str, protocol: type[Any]) -> Any:
    module = importlib.import_module(module_name)
    plugin = getattr(module, _ATTRIBUTE, None)
    if plugin is None:
        raise Defect(f"{module_name} has no {_ATTRIBUTE}", hint=f"End the module with {_ATTRIBUTE} = ….")
    if inspect.isclass(plugin):
        raise Defect(f"{module_name}.{_ATTRIBUTE} is a class", hint="Make it an instance.")
    lacking = sorted(name for name in members(protocol) if not hasattr(plugin, name))
    if lacking:
        raise Defect(f"{module_name}.{_ATTRIBUTE} is no {protocol.__name__}: it lacks {', '.join(lacking)}")
    return plugin


def members(protocol: type[Any]) -> frozenset[str]:
    """The public members that a protocol asks for."""
    found: set[str] = set()
    for base in protocol.__mro__:
        if getattr(base, "_is_protocol", False):
            found |= {*vars(base), *inspect.get_annotations(base)}
    return frozenset(name for name in found if not name.startswith("_") or name == "__call__")


def _refuse_twins(package: str, plugins: tuple[Any, ...]) -> None:
    seen: set[str] = set()
    for plugin in plugins:
        name = getattr(plugin, "name", None)
        if name in seen:
            raise Defect(f"{package}: two plug-ins are called {name}")
        if isinstance(name, str):
            seen.add(name)
