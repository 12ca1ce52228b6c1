"""The page of settings, `docs/settings.md`: made from the schema, so that it cannot rot.

`python -m aegis.settings.page > docs/settings.md` writes it anew; a test holds the file against it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from aegis.settings.names import ALIASES, PREDECESSOR, variable_of
from aegis.settings.schema import Section, Settings

_HEAD = """\
# Settings

Made from the schema by `python -m aegis.settings.page`; `aegis config` shows the effective values and where each came from.

Defaults < the file of `--config` (or `$XDG_CONFIG_HOME/aegis/config.yaml`) < the environment < flags. Unknown keys are refused. The file is YAML with a section each: `verification: {crashes: 9}`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_sections(), *_aliases()])


def _sections() -> Iterator[str]:
    defaults = Settings()
    for name in Settings.model_fields:
        section = getattr(defaults, name)
        assert isinstance(section, Section)  # noqa: S101 - Settings has sections only
        yield f"## {name}\n\n{_first_line(section)}\n\n| variable | default | meaning |\n|---|---|---|"
        plain = section.model_dump(mode="json")
        for key, field in type(section).model_fields.items():
            value = _shown(plain[key])
            yield f"| `{variable_of(f'{name}.{key}')}` | {value} | {field.description or ''} |"
        yield ""


def _first_line(section: Section) -> str:
    return (type(section).__doc__ or "").strip().splitlines()[0]


def _shown(value: Any) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list) else value
    return f"`{text}`" if text not in {None, "", "."} else "-"


def _aliases() -> Iterator[str]:
    yield "## Other names\n\nRead as well, and announced where used:\n\n| variable | setting |\n|---|---|"
    yield from (f"| `{variable}` | `{key}` |" for variable, key in ALIASES.items())
    yield "\nRead only with `AEGIS_COMPAT=1`, since variables that happen to be there must not retarget a cluster:\n"
    yield "| variable | setting |\n|---|---|"
    yield from (f"| `{variable}` | `{key}` |" for variable, key in PREDECESSOR.items())


if __name__ == "__main__":
    sys.stdout.write(page() + "\n")
