"""A web server with nginx's manners, for pods of the local cluster.

Of a configuration it follows what static sites, stubs and simple proxies use: `listen`, `root`, `alias`, `index`,
`location`, `return`, `try_files`, `proxy_pass`, `add_header`, `default_type`, `include`. It passes over the rest.
"""

from __future__ import annotations

import datetime
import email.utils
import http
import http.server
import mimetypes
import os
import pathlib
import re
import signal
import socketserver
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

VERSION = "nginx/1.27.5"
CONFIG = "/etc/nginx/nginx.conf"
CACHE = "/var/cache/nginx/client_temp"
PID = "/run/nginx.pid"
TOKEN = re.compile(
    r"""\s*(?:#[^\n]*|(?P<mark>[;{}])|"(?P<a>(?:[^"\\]|\\.)*)"|'(?P<b>(?:[^'\\]|\\.)*)'|(?P<c>[^\s;{}"']+))"""
)
PROXY_SECONDS = 60


class ConfigError(Exception):
    """A configuration that nginx would refuse."""


@dataclass
class Directive:
    words: list[str]
    block: list[Directive] | None = None


@dataclass
class Place:
    """What a server or a location says of the requests that it answers."""

    root: str = "/etc/nginx/html"
    alias: str | None = None
    index: list[str] = field(default_factory=lambda: ["index.html"])
    stub: list[str] | None = None
    tries: list[str] | None = None
    upstream: str | None = None
    kind: str = "text/plain"
    headers: list[tuple[str, str]] = field(default_factory=list)
    match: list[str] = field(default_factory=list)
    listen: list[int] = field(default_factory=list)
    locations: list[Place] = field(default_factory=list)


# The configuration.


def parse(path: str) -> list[Directive]:
    """A configuration file with everything that it includes.

    Raises:
        ConfigError: it is not well formed.
        OSError: it cannot be read.
    """
    stack: list[list[Directive]] = [[]]
    words: list[str] = []
    for token in TOKEN.finditer(pathlib.Path(path).read_text(encoding="utf-8")):
        word = next((token[name] for name in "abc" if token[name] is not None), None)
        if word is not None:
            words.append(word)
        elif token["mark"]:
            words = close(token["mark"], words, stack, path)
    if len(stack) > 1 or words:
        raise ConfigError(f'unexpected end of file, expecting ";" or "}}" in {path}')
    return stack[0]


def close(mark: str, words: list[str], stack: list[list[Directive]], path: str) -> list[str]:
    if mark == "}":
        if len(stack) == 1 or words:
            raise ConfigError(f'unexpected "}}" in {path}')
        stack.pop()
    elif not words:
        raise ConfigError(f'unexpected "{mark}" in {path}')
    elif mark == "{":
        stack[-1].append(Directive(words, []))
        stack.append(stack[-1][-1].block or [])
        stack[-2][-1].block = stack[-1]
    elif words[0] == "include":
        stack[-1].extend(included(words[1]))
    else:
        stack[-1].append(Directive(words))
    return []


def included(pattern: str) -> Iterator[Directive]:
    full = pathlib.Path("/etc/nginx") / pattern
    for file in sorted(full.parent.glob(full.name)):
        if file.name != "mime.types":
            yield from parse(str(file))


def servers(path: str) -> list[Place]:
    """The servers that a configuration describes.

    Raises:
        ConfigError: it is not well formed.
        OSError: it cannot be read.
    """
    found = []
    for top in parse(path):
        if top.words[0] == "http":
            base = place(top.block or [], Place())
            blocks = [one.block or [] for one in top.block or [] if one.words[0] == "server"]
            found += [place(block, replace(base, listen=[])) for block in blocks]
    return found


def place(block: list[Directive], outer: Place) -> Place:
    own = replace(outer, locations=[], headers=list(outer.headers), listen=[], stub=None, alias=None, upstream=None)
    for directive in block:
        name, values = directive.words[0], directive.words[1:]
        if name != "location":
            settle(own, name, values)
    for directive in block:
        if directive.words[0] == "location":
            inner = place(directive.block or [], own)
            own.locations.append(replace(inner, match=directive.words[1:]))
    return own


def settle(own: Place, name: str, values: list[str]) -> None:
    first = values[0] if values else ""
    match name:
        case "root":
            own.root = first
        case "alias":
            own.alias = first
        case "index":
            own.index = values
        case "return":
            own.stub = values
        case "try_files":
            own.tries = values
        case "proxy_pass":
            own.upstream = first
        case "default_type":
            own.kind = first
        case "add_header":
            own.headers.append((first, values[1]))
        case "listen" if not first.startswith("["):
            port = first.rsplit(":", 1)[-1]
            own.listen.append(int(port) if port.isdigit() else 80)
        case _:
            return


# Answering.


@dataclass
class Answer:
    code: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request, answered as the server that listens on this port is configured."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = VERSION, ""
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        chosen = choose(self.server.place, path)
        if chosen.stub:
            answer = stub(chosen.stub)
        elif chosen.upstream:
            answer = self.proxied(chosen)
        else:
            answer = static(chosen, path)
        self.send(answer, chosen)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

    def proxied(self, chosen: Place) -> Answer:
        base = urllib.parse.urlsplit(chosen.upstream or "")
        rest = self.path
        if base.path and chosen.match:
            rest = base.path + self.path.removeprefix(chosen.match[-1])
        length = int(self.headers.get("Content-Length") or 0)
        sent = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        request = urllib.request.Request(
            f"{base.scheme}://{base.netloc}{rest}",
            data=self.rfile.read(length) if length else None,
            headers={**sent, "X-Forwarded-For": self.client_address[0]},
            method=self.command,
        )
        try:
            with urllib.request.urlopen(request, timeout=PROXY_SECONDS) as got:
                return Answer(got.status, got.read(), {"Content-Type": got.headers.get("Content-Type", "")})
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), {"Content-Type": error.headers.get("Content-Type", "")})
        except TimeoutError:
            return fault(504, f'upstream timed out (110: Connection timed out), upstream: "{chosen.upstream}"')
        except OSError as error:
            return fault(502, f'connect() failed ({error}) while connecting to upstream, upstream: "{chosen.upstream}"')

    def send(self, answer: Answer, chosen: Place) -> None:
        self.send_response(answer.code)
        headers = {"Content-Type": chosen.kind, **answer.headers, "Content-Length": str(len(answer.body))}
        for name, value in (*headers.items(), *chosen.headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        given = [self.headers.get(name, "-") for name in ("Referer", "User-Agent", "X-Forwarded-For")]
        now = datetime.datetime.now(datetime.UTC)
        print(
            f'{self.client_address[0]} - - [{now:%d/%b/%Y:%H:%M:%S +0000}] "{self.requestline}" {answer.code} '
            f'{len(answer.body)} "{given[0]}" "{given[1]}" "{given[2]}"',
            flush=True,
        )

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def choose(server: Place, path: str) -> Place:
    """The location that answers a path, as nginx chooses: exact, then patterns in order, then the longest prefix."""
    best, length = server, -1
    for location in server.locations:
        how, what = location.match[0], location.match[-1]
        if how == "=" and path == what:
            return location
        if how not in {"=", "~", "~*"} and path.startswith(what) and len(what) > length:
            best, length = location, len(what)
    for location in server.locations:
        how, what = location.match[0], location.match[-1]
        if how in {"~", "~*"} and re.search(what, path, re.IGNORECASE if how == "~*" else 0):
            return location
    return best


def stub(words: list[str]) -> Answer:
    if not words[0].isdigit():
        return Answer(302, b"", {"Location": words[0]})
    code, text = int(words[0]), " ".join(words[1:])
    if code in range(300, 400):
        return Answer(code, b"", {"Location": text})
    return Answer(code, text.encode()) if text else fault(code)


def static(chosen: Place, path: str) -> Answer:
    if ".." in path.split("/"):
        return fault(400)
    for tried in chosen.tries or [path]:
        if tried.startswith("="):
            return fault(int(tried[1:]))
        name = tried.replace("$uri", path)
        answer = of_file(chosen, name)
        if answer.code != http.HTTPStatus.NOT_FOUND or chosen.tries is None:
            return answer
    return fault(404)


def of_file(chosen: Place, path: str) -> Answer:
    prefix = chosen.match[-1] if chosen.match else ""
    file = pathlib.Path(chosen.alias + path[len(prefix) :] if chosen.alias else chosen.root + path)
    if file.is_dir():
        if not path.endswith("/"):
            return Answer(301, b"", {"Location": path + "/"})
        file = next((file / name for name in chosen.index if (file / name).is_file()), file)
    try:
        body = file.read_bytes()
    except IsADirectoryError:
        return fault(403, f'directory index of "{file}/" is forbidden')
    except OSError as error:
        code = 403 if isinstance(error, PermissionError) else 404
        return fault(code, f'open() "{file}" failed ({error.errno}: {error.strerror})')
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    changed = email.utils.formatdate(file.stat().st_mtime, usegmt=True)
    return Answer(200, body, {"Content-Type": kind, "Last-Modified": changed})


def fault(code: int, why: str | None = None) -> Answer:
    if why:
        say("error", f"*1 {why}")
    known = {status.value: status.phrase for status in http.HTTPStatus}
    title = f"{code} {known.get(code, '')}".strip()
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    page += f"<hr><center>{VERSION}</center>\r\n</body>\r\n</html>\r\n"
    return Answer(code, page.encode(), {"Content-Type": "text/html"})


# Running.


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 511

    def __init__(self, port: int, served: Place) -> None:
        self.place = served
        super().__init__(("", port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def say(level: str, message: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    print(f"{now:%Y/%m/%d %H:%M:%S} [{level}] {os.getpid()}#{os.getpid()}: {message}", file=sys.stderr, flush=True)


def prepare() -> None:
    """What nginx does before it listens.

    Raises:
        ConfigError: it may not.
    """
    for what, path in (("mkdir", CACHE), ("open", PID)):
        try:
            if what == "mkdir":
                pathlib.Path(path).mkdir(parents=True, exist_ok=True)
            else:
                pathlib.Path(path).write_text(f"{os.getpid()}\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f'{what}() "{path}" failed ({error.errno}: {error.strerror})') from error


def listen(configured: list[Place]) -> list[Server]:
    """A listening server for each port.

    Raises:
        ConfigError: a port is taken or may not be used.
    """
    ports: dict[int, Place] = {}
    for served in configured:
        for port in served.listen or [80]:
            ports.setdefault(port, served)
    running = []
    for port, served in ports.items():
        try:
            running.append(Server(port, served))
        except OSError as error:
            raise ConfigError(f"bind() to 0.0.0.0:{port} failed ({error.errno}: {error.strerror})") from error
    return running


def main(arguments: list[str]) -> int:
    path = arguments[arguments.index("-c") + 1] if "-c" in arguments else CONFIG
    if {"-v", "-V"} & set(arguments):
        print(f"nginx version: {VERSION}", file=sys.stderr)
        return 0
    try:
        configured = servers(path)
        if "-t" in arguments:
            print(f"nginx: the configuration file {path} syntax is ok", file=sys.stderr)
            return 0
        prepare()
        running = listen(configured)
    except OSError as error:
        return emergency(f'open() "{error.filename}" failed ({error.errno}: {error.strerror})')
    except (ConfigError, IndexError, ValueError) as error:
        return emergency(str(error))
    return serve(running)


def emergency(message: str) -> int:
    say("emerg", message)
    print(f"nginx: [emerg] {message}", file=sys.stderr)
    return 1


def serve(running: list[Server]) -> int:
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    say("notice", VERSION)
    say("notice", "start worker processes")
    for server in running:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
