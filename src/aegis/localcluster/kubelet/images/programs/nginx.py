"""A static web server with nginx's manners, for pods of the local cluster.

It reads of a configuration only what static sites and stubs use: `listen`, `root`, `index`, `location` (prefix and
`=`), `return`, `alias`, `add_header`, `default_type`, `include`; what it does not know it names and, like nginx,
refuses only where nginx would. It answers GET and HEAD.
"""

import datetime
import email.utils
import glob
import http.server
import mimetypes
import os
import pathlib
import re
import signal
import socket
import socketserver
import sys
import threading
import urllib.parse

TOKEN = re.compile(r"""\s*(?:#[^\n]*|(;|\{|\})|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;{}"']+))""")
SERVED = ("GET", "HEAD")
CONFIG = "/etc/nginx/nginx.conf"


class ConfigError(Exception):
    pass


class Block(list):
    """Directives: (words, block or None)."""


def parse(text, name):
    """A configuration file as nested directives."""
    stack, words = [Block()], []
    for match in TOKEN.finditer(text):
        mark = match[1]
        word = next((group for group in match.groups()[1:] if group is not None), None)
        if word is not None:
            words.append(word)
        elif mark == ";":
            stack[-1].append((words, None))
            words = []
        elif mark == "{":
            inner = Block()
            stack[-1].append((words, inner))
            stack.append(inner)
            words = []
        elif mark == "}":
            if len(stack) == 1 or words:
                raise ConfigError(f'unexpected "}}" in {name}')
            stack.pop()
    if len(stack) > 1 or words:
        raise ConfigError(f'unexpected end of file, expecting ";" or "}}" in {name}')
    return stack[0]


def expand(block):
    """Directives with every `include` replaced by what it names."""
    for words, inner in block:
        if words[0] == "include":
            for path in sorted(glob.glob(os.path.join("/etc/nginx", words[1]))):
                if not path.endswith("mime.types"):
                    yield from expand(parse(pathlib.Path(path).read_text(encoding="utf-8"), path))
        else:
            yield words, None if inner is None else Block(expand(inner))


def settings(block, outer):
    """The directives of one block over those of the block around it."""
    own = {**outer, "locations": [], "headers": list(outer.get("headers", []))}
    for words, inner in block:
        name = words[0]
        if name == "location" and inner is not None:
            own["locations"].append((
                words[1:],
                settings(inner, {**own, "locations": [], "return": None, "alias": None}),
            ))
        elif name == "add_header":
            own["headers"].append((words[1], words[2]))
        elif name == "listen":
            own.setdefault("listen", []).append(words[1])
        elif name in {"index", "return"}:
            own[name] = words[1:]
        elif name in {"root", "alias", "default_type", "server_name"}:
            own[name] = words[1]
        elif name in {"proxy_pass", "rewrite", "try_files", "fastcgi_pass", "upstream"}:
            print(f"nginx: [warn] the local cluster's nginx ignores {name}", file=sys.stderr)
    return own


def servers(path):
    """The servers of a configuration."""
    top = Block(expand(parse(pathlib.Path(path).read_text(encoding="utf-8"), path)))
    found = []
    for words, inner in top:
        if words[0] == "http" and inner is not None:
            base = settings([entry for entry in inner if entry[0][0] != "server"], {"root": "/etc/nginx/html"})
            found += [settings(block, {**base, "listen": []}) for name, block in inner if name[0] == "server"]
    return found


def port_of(listen):
    text = listen.rsplit(":", 1)[-1].strip("[]")
    return int(text) if text.isdigit() else 80


class Handler(http.server.BaseHTTPRequestHandler):
    """One request, answered as the server that listens on this port is configured."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "nginx/1.27.5", ""
    disable_nagle_algorithm = True

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        place, prefix = self.place(path)
        if place.get("return"):
            code, *text = place["return"]
            body = text[0] if text else ""
            if code.startswith("3"):
                return self.answer(int(code), b"", place, {"Location": body})
            return self.answer(int(code), body.encode(), place) if text else self.refuse(int(code), place)
        root = place.get("alias")
        file = pathlib.Path(root + path[len(prefix) :]) if root else pathlib.Path(place["root"] + path)
        if ".." in path.split("/"):
            return self.refuse(400, place)
        if file.is_dir():
            if not path.endswith("/"):
                return self.answer(301, b"", place, {"Location": path + "/"})
            names = place.get("index", ["index.html"])
            file = next((file / name for name in names if (file / name).is_file()), file)
        try:
            body = file.read_bytes()
        except IsADirectoryError:
            return self.refuse(403, place, f'directory index of "{file}/" is forbidden')
        except PermissionError:
            return self.refuse(403, place, f'open() "{file}" failed (13: Permission denied)')
        except OSError:
            return self.refuse(404, place, f'open() "{file}" failed (2: No such file or directory)')
        kind = mimetypes.guess_type(file.name)[0] or place.get("default_type", "application/octet-stream")
        changed = email.utils.formatdate(file.stat().st_mtime, usegmt=True)
        return self.answer(200, body, place, {"Content-Type": kind, "Last-Modified": changed})

    do_HEAD = do_GET

    def place(self, path):
        server = self.server.settings
        best, length = server, -1
        for words, inner in server["locations"]:
            exact, prefix = words[0] == "=", words[-1]
            if exact and path == prefix:
                return inner, prefix
            if not exact and words[0] not in {"~", "~*"} and path.startswith(prefix) and len(prefix) > length:
                best, length = inner, len(prefix)
            if words[0] in {"~", "~*"} and re.search(prefix, path, re.I if words[0] == "~*" else 0):
                return inner, ""
        return best, path[: max(length, 0)]

    def refuse(self, code, place, why=None):
        if why:
            now = datetime.datetime.now(datetime.UTC)
            print(f"{now:%Y/%m/%d %H:%M:%S} [error] {os.getpid()}#{os.getpid()}: *1 {why}", file=sys.stderr)
        title = f"{code} {http.HTTPStatus(code).phrase}"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        page += "<hr><center>nginx/1.27.5</center>\r\n</body>\r\n</html>\r\n"
        self.answer(code, page.encode(), place, {"Content-Type": "text/html"})

    def answer(self, code, body, place, headers=None):
        self.send_response(code)
        given = {"Content-Type": place.get("default_type", "text/plain"), "Content-Length": str(len(body))}
        for name, value in {**given, **(headers or {})}.items():
            self.send_header(name, value)
        for name, value in place.get("headers", []):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.access(code, len(body))

    def access(self, code, size):
        now = datetime.datetime.now(datetime.UTC)
        agent, referer = self.headers.get("User-Agent", "-"), self.headers.get("Referer", "-")
        print(
            f'{self.client_address[0]} - - [{now:%d/%b/%Y:%H:%M:%S +0000}] "{self.requestline}" {code} {size} '
            f'"{referer}" "{agent}" "{self.headers.get("X-Forwarded-For", "-")}"',
            flush=True,
        )

    def log_request(self, *args):
        pass

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 511

    def __init__(self, port, server_settings):
        self.settings = server_settings
        super().__init__(("", port), Handler)

    def handle_error(self, request, client_address):
        pass


def emergency(message):
    now = datetime.datetime.now(datetime.UTC)
    print(f"{now:%Y/%m/%d %H:%M:%S} [emerg] {os.getpid()}#{os.getpid()}: {message}", file=sys.stderr)
    print(f"nginx: [emerg] {message}", file=sys.stderr)
    return 1


def main(arguments):
    path = arguments[arguments.index("-c") + 1] if "-c" in arguments else CONFIG
    if "-v" in arguments or "-V" in arguments:
        print("nginx version: nginx/1.27.5", file=sys.stderr)
        return 0
    try:
        configured = servers(path)
    except OSError as error:
        return emergency(f'open() "{error.filename}" failed ({error.errno}: {error.strerror})')
    except (ConfigError, IndexError) as error:
        return emergency(str(error))
    if "-t" in arguments:
        print(f"nginx: the configuration file {path} syntax is ok", file=sys.stderr)
        return 0
    cache = "/var/cache/nginx/client_temp"
    try:
        os.makedirs(cache, exist_ok=True)
        pathlib.Path("/run/nginx.pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
    except OSError as error:
        what = f'mkdir() "{cache}"' if "cache" in str(error.filename) else f'open() "{error.filename}"'
        return emergency(f"{what} failed ({error.errno}: {error.strerror})")
    ports = {}
    for server in configured:
        for listen in server.get("listen") or ["80"]:
            if not listen.startswith("[::]"):
                ports.setdefault(port_of(listen), server)
    running = []
    for port, server in ports.items():
        try:
            running.append(Server(port, server))
        except OSError as error:
            return emergency(f"bind() to 0.0.0.0:{port} failed ({error.errno}: {error.strerror})")
    return serve(running)


def serve(running):
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    now = datetime.datetime.now(datetime.UTC)
    for line in ("nginx/1.27.5", "start worker processes"):
        print(f"{now:%Y/%m/%d %H:%M:%S} [notice] {os.getpid()}#{os.getpid()}: {line}", file=sys.stderr)
    for server in running[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if not running:
        signal.pause()
    running[0].serve_forever()
    return 0


if __name__ == "__main__":
    socket.setdefaulttimeout(None)
    sys.exit(main(sys.argv[1:]))
