"""What is configured, and from where: defaults < file < environment < flags, into one frozen `Settings`.

This is the only place that reads the environment. Importing it costs what pydantic costs, so import it where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from pydantic import SecretStr, ValidationError

from aegis.drivers.kubernetes.options import KubeOptions
from aegis.errors import UsageError
from aegis.settings.names import (
    ALIASES,
    COMPAT,
    PREDECESSOR,
    PREFIX,
    RESERVED,
    is_service_link,
    key_of,
    nearest,
    variable_of,
)
from aegis.settings.schema import Settings, keys

__all__ = ["LoadedSettings", "Settings", "load"]

_LARGEST_FILE: Final = 1 << 20


class _Given(NamedTuple):
    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """The settings, and how they came about.

    Attributes:
        settings: all of them.
        origins: for each dotted key from where it is: `default`, `file PATH`, `environment NAME`, `flag`.
        notices: what a person should be told, as that an old name is used.
        environ: the environment as it was read, for drivers (which do not read it).
    """

    settings: Settings
    origins: Mapping[str, str]
    notices: tuple[str, ...]
    environ: Mapping[str, str]

    def kube_options(self, *, as_user: str = "", as_groups: tuple[str, ...] = ()) -> KubeOptions:
        """How to reach the cluster that is configured.

        Args:
            as_user: impersonate (`--as`).
            as_groups: and these groups.
        """
        kubernetes = self.settings.kubernetes
        return KubeOptions(
            kubeconfig=kubernetes.kubeconfig,
            context=kubernetes.context,
            as_user=as_user,
            as_groups=as_groups,
            timeout=kubernetes.api_timeout,
            environ=self.environ,
        )

    def shown(self) -> Iterator[tuple[str, Any, str]]:
        """Each key with its value (secrets masked) and its origin, for `aegis config`."""
        values = self.settings.model_dump(mode="json")
        for key in keys():
            section, name = key.split(".")
            yield key, values[section][name], self.origins[key]


def load(
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Read the settings.

    Args:
        config: the file of `--config`; None: `$XDG_CONFIG_HOME/aegis/config.yaml`, if it is there. Never a file of the
            working directory.
        flags: dotted keys of what the command line sets; None values are not set.
        environ: instead of the process environment.

    Raises:
        UsageError: if a key is unknown, a value is wrong, or the file cannot be read.
    """
    env = dict(os.environ if environ is None else environ)  # noqa: TID251  (the one place that may)
    notices: list[str] = []
    given: dict[str, _Given] = {"state.folder": _Given(_state_folder(env), "default")}
    path = config or _default_file(env)
    if path:
        given |= _from_file(path, must_be=config is not None)
    given |= _from_environment(env, notices)
    for key, value in (flags or {}).items():
        if value is not None:
            given[_known(key, key)] = _Given(value, "flag")
    settings = _validate(given)
    origins = {key: given[key].origin if key in given else "default" for key in keys()}
    return LoadedSettings(settings=settings, origins=origins, notices=tuple(notices), environ=env)


def _default_file(env: Mapping[str, str]) -> Path | None:
    home = env.get("HOME", "")
    folder = env.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    return Path(folder) / "aegis" / "config.yaml" if folder else None


def _state_folder(env: Mapping[str, str]) -> Path:
    folder = env.get("XDG_STATE_HOME") or f"{env.get('HOME') or Path.home()}/.local/state"
    return Path(folder) / "aegis"


def _from_file(path: Path, *, must_be: bool) -> dict[str, _Given]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if must_be:
            raise UsageError(f"{path}: no such file", hint="Correct --config.") from None
        return {}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(text) > _LARGEST_FILE:
        raise UsageError(f"{path}: too large for a file of settings")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if document is not None and not isinstance(document, Mapping):
        raise UsageError(f"{path}: not a mapping of sections")
    found: dict[str, _Given] = {}
    for section, content in (document or {}).items():
        if not isinstance(content, Mapping):
            raise UsageError(f"{path}: {section} is no section", hint="Sections hold keys: `shadow: {trials: 5}`.")
        for name, value in content.items():
            found[_known(f"{section}.{name}", f"{path}: {section}.{name}")] = _Given(value, f"file {path}")
    return found


def _from_environment(env: Mapping[str, str], notices: list[str]) -> dict[str, _Given]:
    found: dict[str, _Given] = {}
    aliases = {**ALIASES, **(PREDECESSOR if env.get(COMPAT) == "1" else {})}
    for variable, key in aliases.items():
        if variable in env:
            found[key] = _Given(env[variable], f"environment {variable}")
            notices.append(f"{variable} is read as {key}: its name is {variable_of(key)} now")
    for variable, value in env.items():
        if variable.startswith(PREFIX) and variable not in RESERVED and variable not in aliases:
            key = key_of(variable)
            if key not in keys() and is_service_link(variable, value):
                continue
            key = _known(key, variable)
            if key in found and found[key].value != value:
                notices.append(f"{variable} and {found[key].origin.split()[1]} differ: {variable} holds")
            found[key] = _Given(value, f"environment {variable}")
    return found


def _known(key: str, where: str) -> str:
    known = keys()
    if key in known:
        return key
    like = nearest(key, known)
    spelled = variable_of(like) if where.startswith(PREFIX) else like
    raise UsageError(f"{where} is no setting", hint=f"Did you mean {spelled}?" if like else "See `aegis config`.")


def _validate(given: Mapping[str, _Given]) -> Settings:
    nested: dict[str, dict[str, Any]] = {}
    for key, (value, _origin) in given.items():
        section, name = key.split(".")
        nested.setdefault(section, {})[name] = _plain(value)
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"][:2])
        origin = given[key].origin if key in given else "default"
        raise UsageError(f"{key} ({origin}): {first['msg']}", hint="See `aegis config`.") from error


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
