"""The outermost door of the command line: arguments in, exit status out, every error translated once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from aegis.errors import AegisError, Defect
from aegis.interfaces.cli.commands import root_help

INTERRUPTED = 130
BROKEN_PIPE = 141
"""As a shell reports a program that SIGPIPE ended."""
_TRACEBACK_AT = 2


def main() -> None:
    """The entry of the commands `aegis` and `kubectl-aegis`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status."""
    words = list(arguments)
    if words in ([], ["help"], ["-h"], ["--help"]) and not _completing():
        return _printed(root_help())
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if words == ["--version"]:
        words = ["version"]
    try:
        return _completed(words) if _completing() else _dispatched(words)
    except BrokenPipeError:
        return _pipe_closed()
    except KeyboardInterrupt:
        return INTERRUPTED


def _completing() -> bool:
    """Whether a shell asks for completions, by a variable that click reads."""
    return "_AEGIS_COMPLETE" in os.environ  # noqa: TID251 - the shell's question, no setting


def _completed(words: list[str]) -> int:
    """Answer a shell: whatever happens, nothing is said on a line that somebody is typing."""
    from aegis.interfaces.cli.app import root
    from aegis.interfaces.cli.options import Globals

    with suppress(Exception, SystemExit):
        root.main(words, prog_name="aegis", standalone_mode=False, obj=Globals())
    return 0


def _printed(text: str) -> int:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    return 0


def _dispatched(words: list[str]) -> int:
    import click

    from aegis.interfaces.cli.app import root
    from aegis.interfaces.cli.options import Globals

    options = Globals()
    try:
        status = root.main(words, prog_name="aegis", standalone_mode=False, obj=options)
        sys.stdout.flush()
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _said(f"{error.format_message()} {_where_to_read(error)}", 2)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except SystemExit:  # click itself ends so, but only where it met a closed pipe
        return _pipe_closed()
    except Exception as error:  # noqa: BLE001 - the outermost door
        return _failed(error, traceback=options.verbose >= _TRACEBACK_AT)
    return int(status or 0)


def _failed(error: BaseException, *, traceback: bool) -> int:
    """One line for a person; the traceback only for those who asked for it."""
    found = _the_cause(error)
    if traceback:
        import traceback as tracebacks

        tracebacks.print_exception(error)
    if isinstance(found, BrokenPipeError):
        return _pipe_closed()
    if not isinstance(found, AegisError):
        found = Defect(
            f"a defect of AEGIS: {type(found).__name__}: {found}", hint="Please report it, with the output of -v -v."
        )
    return _said(f"{found.message.rstrip('.')}. {found.hint}", found.exit_status)


def _the_cause(error: BaseException) -> BaseException:
    """A task group wraps what happened in it: the first error of ours in there, else the first of all."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_the_cause(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, AegisError)), leaves[0])


def _said(line: str, status: int) -> int:
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(line.split()))
    sys.stderr.write(f"aegis: {text}\n")
    return status


def _where_to_read(error: object) -> str:
    context = getattr(error, "ctx", None)
    return f"See `{context.command_path} --help`." if context is not None else "See `aegis --help`."


def _pipe_closed() -> int:
    """Whoever read us went away: no more is written, and the interpreter shall not complain at its end either."""
    with suppress(BrokenPipeError):
        sys.stdout.close()
    return BROKEN_PIPE


if __name__ == "__main__":
    main()
