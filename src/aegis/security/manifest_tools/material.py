"""What Semgrep is given to read, a file of ours for each thing, and what each line of it stands for. Pure.

A manifest becomes its canonical text and, in a file of its own, the commands that it runs; a Dockerfile one instruction a
line and its commands; a script its commands. So one set of rules sees commands wherever they hide, and neither the
name of a file nor what is beside it (`.semgrepignore`, comments) has a say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aegis.model.refs import Json, ObjectRef
from aegis.security.canonical import CanonicalObject, canonicalise, file_name, render
from aegis.security.manifest_tools.dockerfile import instructions
from aegis.security.manifest_tools.places import location_at, mark
from aegis.security.manifest_tools.shell import Command, commands, commands_of
from aegis.security.manifest_tools.source_tree import FileKind, SourceFile, SourceTree
from aegis.security.strict_yaml import NotCanonical, read

_RUNS = frozenset({"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one line of a sheet stands for.

    Attributes:
        location: within the subject; empty: it is found from the text.
        line: in the file at fault, from 1; 0 where it is not known.
        written: the place where it stands, if that is another.
    """

    location: str = ""
    line: int = 0
    written: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file for the tool.

    Attributes:
        name: of the file, which the tool tells languages by.
        text: what is in it.
        subject: whose it is.
        part: as coverage calls what it stands for.
        file: the file it was read from; empty for an object of a cluster.
        origin: the object, where it was read from a file.
        rows: of each line; empty for a canonical manifest, where the text says it.
    """

    name: str
    text: str
    subject: ObjectRef
    part: str
    file: str = ""
    origin: CanonicalObject | None = None
    rows: tuple[Row, ...] = ()

    def place(self, line: int, last: int, matched: str) -> Row:
        """Where a match is.

        Args:
            line: its first line in the sheet, from 1.
            last: its last line.
            matched: what was matched.
        """
        if not self.rows:
            found = Row(location=location_at(self.text, line, last))
        else:
            row = self.rows[min(max(line, 1), len(self.rows)) - 1]
            found = replace(row, location=f"{row.location}[{mark(_bare(matched))}]".removeprefix("."))
        return replace(found, line=self.origin.line_of(found.written or found.location)) if self.origin else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All sheets of a subject.

    Attributes:
        sheets: with names that differ.
        parts: all that has to be looked at, what could not be read included.
        troubles: why parts could not be read, in words.
    """

    sheets: tuple[Sheet, ...]
    parts: tuple[str, ...]
    troubles: tuple[str, ...] = ()


def of_objects(objects: Sequence[Json]) -> Material:
    """Two sheets for each object: its text, and its commands where it has some."""
    sheets = tuple(sheet for number, obj in enumerate(objects, 1) for sheet in _of_object(number, obj))
    return Material(sheets=sheets, parts=tuple(str(ObjectRef.of(obj)) for obj in objects))


def of_tree(tree: SourceTree) -> Material:
    """The sheets of a folder; a manifest that can be read in two ways, or not at all, is a trouble."""
    sheets: list[Sheet] = []
    parts: list[str] = []
    troubles = [tree.trouble] if tree.trouble else []
    for number, file in enumerate(tree.files, 1):
        try:
            found = _of_file(number, file)
        except (NotCanonical, UnicodeError) as error:
            parts.append(file.name)
            troubles.append(str(error) if file.name in str(error) else f"{file.name}: {error}")
            continue
        if found:
            parts.append(file.name)
            sheets += found
    return Material(
        sheets=tuple(sheets),
        parts=tuple(parts),
        troubles=tuple(troubles),
    )


def _of_object(number: int, obj: Json) -> Iterator[Sheet]:
    subject = ObjectRef.of(obj)
    sheet = Sheet(name=f"{_number(0)}-{file_name(number, obj)}", text=render(obj), subject=subject, part=str(subject))
    yield from _with_commands(sheet, commands_of(obj))


def _of_manifest(number: int, file: SourceFile) -> Iterator[Sheet]:
    """The sheets of every object of a file.

    Raises:
        NotCanonical: if it can be read in two ways.
    """
    for at, item in enumerate(canonicalise(file.data, source=file.name).objects, 1):
        name = f"{_number(number)}-{file_name(at, item.object)}"
        sheet = Sheet(name=name, text=item.text, subject=item.ref, part=file.name, file=file.name, origin=item)
        yield from _with_commands(sheet, commands_of(item.object))


def _number(of_file: int) -> str:
    return f"{of_file:05d}"


def _with_commands(sheet: Sheet, found: Iterable[Command]) -> Iterator[Sheet]:
    """The sheet, and beside it one of the commands where there are some."""
    yield sheet
    lines = list(found)
    if lines:
        rows = tuple(Row(location=one.location, line=one.line, written=one.written) for one in lines)
        text = "".join(f"{command.text}\n" for command in lines)
        yield replace(sheet, name=f"{sheet.name}.sh", text=text, rows=rows)


def _of_file(number: int, file: SourceFile) -> list[Sheet]:
    """The sheets of a file; none where it is no manifest.

    Raises:
        NotCanonical: if it is a manifest that cannot be read in one way only, or a file that could not be read.
        UnicodeError: if it is no text.
    """
    if file.trouble:
        raise NotCanonical(f"{file.name}: {file.trouble}")
    if file.kind is FileKind.MANIFEST:
        return list(_of_manifest(number, file)) if _is_manifest(file) else []
    text = file.data.decode("utf-8", "replace")
    subject = ObjectRef(api_version="", kind="File", name=file.name)
    if file.kind is FileKind.SHELL:
        script = Sheet(name=f"{_number(number)}-script", text="", subject=subject, part=file.name, file=file.name)
        return list(_with_commands(script, commands(text, numbered=True)))[1:]
    return _of_dockerfile(number, text, subject)


def _of_dockerfile(number: int, text: str, subject: ObjectRef) -> list[Sheet]:
    steps = list(instructions(text))
    if not steps:
        return []
    rows = tuple(Row(location=step.word, line=step.line) for step in steps)
    whole = "".join(f"{step.text}\n" for step in steps)
    name = f"{_number(number)}-image.dockerfile"
    runs = (
        Command(text=command.text, location=step.word, line=step.line)
        for step in steps
        if step.word in _RUNS
        for command in commands(step.script)
    )
    sheet = Sheet(name=name, text=whole, subject=subject, part=subject.name, file=subject.name, rows=rows)
    return list(_with_commands(sheet, runs))


def _is_manifest(file: SourceFile) -> bool:
    """Whether any document claims to be an object of Kubernetes; what cannot be read is one if it speaks of a version.

    Raises:
        NotCanonical: if that cannot be told.
    """
    try:
        return any(
            isinstance(node.value, dict) and "apiVersion" in node.value and "kind" in node.value
            for node in read(file.data, source=file.name)
        )
    except NotCanonical:
        if b"apiVersion" in file.data.replace(b"\x00", b""):
            raise
        return False


def _bare(text: str) -> str:
    return " ".join(text.translate({ord(sign): None for sign in "\\'\"^"}).split())
