"""A registry of images on loopback that speaks as much of the OCI distribution API as a pull needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from oci_image import Blobs

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

REFUSALS = {"missing": (404, "MANIFEST_UNKNOWN"), "private": (401, "UNAUTHORIZED"), "busy": (429, "TOOMANYREQUESTS")}
"""Names under which every image is refused, with how."""


def digest(data: bytes) -> str:
    """As registries name content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(image: Blobs) -> bytes:
    """The manifest that names an image's parts."""

    def entry(kind: str, data: bytes) -> dict[str, object]:
        return {"mediaType": kind, "size": len(data), "digest": digest(data)}

    return json.dumps({
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": entry(_CONFIG, image.config),
        "layers": [entry(_LAYER, layer) for layer in image.layers],
    }).encode()


@contextmanager
def registry(images: Mapping[str, Blobs]) -> Iterator[str]:
    """Serve images by name and any tag; gives the registry's host and port."""
    contents: dict[str, bytes] = {}
    for image in images.values():
        contents.update({digest(data): data for data in (image.config, *image.layers, manifest(image))})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts == ["v2"]:
                return self._send(200, b"{}")
            name, kind, reference = "/".join(parts[1:-2]), parts[-2], parts[-1]
            if name in REFUSALS:
                status, code = REFUSALS[name]
                body = {"errors": [{"code": code, "message": "refused"}]}
                return self._send(status, json.dumps(body).encode())
            if kind == "manifests" and name in images:
                return self._send(200, manifest(images[name]), _MANIFEST)
            found = contents.get(reference)
            return self._send(200, found) if found is not None else self._send(404, b"{}")

        def do_HEAD(self) -> None:
            self.do_GET()

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
