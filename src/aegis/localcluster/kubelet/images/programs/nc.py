"""A small nc, with busybox's options, for pods of the local cluster."""

import argparse
import os
import selectors
import socket
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="nc")
    parser.add_argument("-z", action="store_true")
    parser.add_argument("-v", action="count", default=0)
    parser.add_argument("-l", action="store_true")
    parser.add_argument("-p", type=int, default=0)
    parser.add_argument("-w", type=float, default=None)
    parser.add_argument("where", nargs="*")
    asked = parser.parse_args()
    try:
        with listen(asked.p or int(asked.where[-1])) if asked.l else dial(asked) as peer:
            if asked.v:
                print(f"{' '.join(asked.where)} open", file=sys.stderr)
            if not asked.z:
                pump(peer)
    except OSError as error:
        print(f"nc: {' '.join(asked.where)}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def dial(asked: argparse.Namespace) -> socket.socket:
    peer = socket.create_connection((asked.where[0], int(asked.where[1])), timeout=asked.w)
    peer.settimeout(None)
    return peer


def listen(port: int) -> socket.socket:
    with socket.create_server(("", port)) as server:
        return server.accept()[0]


def pump(peer: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(peer, selectors.EVENT_READ)
        try:
            ready.register(sys.stdin.fileno(), selectors.EVENT_READ)
        except PermissionError:
            send(peer, sys.stdin.buffer.read())  # a plain file, or nothing: it cannot be waited for
            send(peer, b"")
        while True:
            waiting = [key.fileobj for key, _ in ready.select()]
            if peer in waiting and not show(peer.recv(65536)):
                return
            if sys.stdin.fileno() in waiting and not send(peer, os.read(sys.stdin.fileno(), 65536)):
                ready.unregister(sys.stdin.fileno())


def show(received: bytes) -> bool:
    sys.stdout.buffer.write(received)
    sys.stdout.buffer.flush()
    return bool(received)


def send(peer: socket.socket, typed: bytes) -> bool:
    if typed:
        peer.sendall(typed)
    else:
        peer.shutdown(socket.SHUT_WR)
    return bool(typed)


if __name__ == "__main__":
    sys.exit(main())
