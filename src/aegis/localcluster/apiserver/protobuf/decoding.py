"""Request bodies in Kubernetes' protobuf encoding: four bytes of magic, then runtime.Unknown around one object."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from aegis.localcluster.apiserver.protobuf.messages import Field, messages
from aegis.localcluster.apiserver.protobuf.wire import BYTES, Value, WireError, read, signed

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_DEPTH = 40
_SCALARS = frozenset({"string", "bytes", "int", "bool"})


class UndecodableError(WireError):
    """The body is no object of a kind that is known here, or has a field that is not."""


def decode_object(raw: bytes) -> dict[str, Any]:
    """The object of a protobuf body, as JSON.

    Raises:
        UndecodableError: it is of no kind or version that is known here, or no message.
    """
    if not raw.startswith(_MAGIC):
        raise UndecodableError("the body does not start with the magic of Kubernetes' protobuf encoding")
    return _object(raw[len(_MAGIC) :])


def _object(raw: bytes) -> dict[str, Any]:
    # runtime.Unknown: typeMeta 1 (apiVersion 1, kind 2), raw 2
    parts = {number: value for number, _, value in read(raw)}
    meta = {number: _text(value) for number, _, value in read(_bytes(parts.get(1, b"")))}
    api_version, kind = meta.get(1, ""), meta.get(2, "")
    name = kind if kind in messages() else f"{api_version}.{kind}"
    if name not in messages():
        raise UndecodableError(f"protobuf bodies of kind {kind!r} are not decoded")
    obj = _message(name, _bytes(parts.get(2, b"")), 0)
    return {"apiVersion": api_version, "kind": kind, **obj}


def _message(name: str, raw: bytes, depth: int) -> dict[str, Any]:
    if depth > _DEPTH:
        raise UndecodableError("the body is nested too deeply")
    result: dict[str, Any] = {}
    fields = messages()[name]
    for number, kind, value in read(raw):
        known = fields.get(number)
        if known is None:
            raise UndecodableError(f"field {number} of {name} is not decoded")
        if known.form == "map":
            key, item = _entry(known, _bytes(value), depth)
            result.setdefault(known.name, {})[key] = item
            continue
        decoded = _value(known.type, value, kind, depth)
        if known.form == "list":
            result.setdefault(known.name, []).append(decoded)
        elif known.form == "inline":
            result.update(decoded)
        elif known.kept or not _is_zero(decoded):
            result[known.name] = decoded
    return result


def _entry(field: Field, raw: bytes, depth: int) -> tuple[str, Any]:
    key, item = "", b""
    for number, _, value in read(raw):
        if number == 1:
            key = _text(value)
        else:
            item = _bytes(value)
    return key, _value(field.type, item, BYTES, depth)


def _value(kind: str, value: Value, wire_type: int, depth: int) -> Any:
    if kind == "Ignored":
        return None
    if kind in _SCALARS:
        return _scalar(kind, value)
    if wire_type != BYTES:
        raise WireError(f"a {kind} is no number")
    raw = _bytes(value)
    match kind:
        case "Time" | "MicroTime":
            return _time(raw, micro=kind == "MicroTime")
        case "Quantity":
            return next((_text(v) for n, _, v in read(raw) if n == 1), "0")
        case "IntOrString":
            parts = {n: v for n, _, v in read(raw)}
            return _text(parts.get(3, b"")) if parts.get(1) else signed(_number(parts.get(2, 0)))
        case _:
            return _message(kind, raw, depth + 1)


def _scalar(kind: str, value: Value) -> Any:
    match kind:
        case "string":
            return _text(value)
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "bool":
            return bool(_number(value))
        case _:
            return signed(_number(value))


def _is_zero(value: Any) -> bool:
    return value in {None, "", 0} if not isinstance(value, (dict, list)) else not value


def _time(raw: bytes, *, micro: bool) -> str | None:
    parts = {number: signed(_number(value)) for number, _, value in read(raw)}
    if not parts:
        return None
    moment = datetime.fromtimestamp(parts.get(1, 0), UTC)
    if micro:
        return moment.replace(microsecond=parts.get(2, 0) // 1000).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise WireError("a number was expected")
    return value


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise WireError("bytes were expected")
    return value


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise WireError("a text is not UTF-8") from None
