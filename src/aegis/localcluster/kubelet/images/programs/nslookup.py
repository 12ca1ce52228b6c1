"""A small nslookup, with busybox's words, for pods of the local cluster."""

import pathlib
import socket
import sys


def main() -> int:
    if len(sys.argv) < 2:
        print("Usage: nslookup HOST [DNS_SERVER]", file=sys.stderr)
        return 1
    name = sys.argv[1]
    lines = pathlib.Path("/etc/resolv.conf").read_text(encoding="utf-8").splitlines()
    server = next((line.split()[1] for line in lines if line.startswith("nameserver")), "127.0.0.1")
    print(f"Server:\t\t{server}\nAddress:\t{server}:53\n")
    try:
        found = sorted({entry[4][0] for entry in socket.getaddrinfo(name, None, socket.AF_INET)})
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            print(";; connection timed out; no servers could be reached", file=sys.stderr)
        else:
            print(f"** server can't find {name}: NXDOMAIN")
        return 1
    for address in found:
        print(f"Name:\t{name}\nAddress: {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
