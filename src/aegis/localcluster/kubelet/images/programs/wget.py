"""A small wget, with busybox's options and words, for pods of the local cluster."""

import argparse
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request


def main() -> int:
    parser = argparse.ArgumentParser(prog="wget")
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("-O", "--output-document", default=None)
    parser.add_argument("-T", "--timeout", type=float, default=900)
    parser.add_argument("-t", "--tries", type=int, default=1)
    parser.add_argument("-S", "--server-response", action="store_true")
    parser.add_argument("--spider", action="store_true")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--post-data", default=None)
    parser.add_argument("--no-check-certificate", action="store_true")
    parser.add_argument("url")
    asked = parser.parse_args()
    url = asked.url if "://" in asked.url else f"http://{asked.url}"
    data = None if asked.post_data is None else asked.post_data.encode()
    request = urllib.request.Request(url, data=data, method="HEAD" if asked.spider else None)
    for header in asked.header:
        name, _, value = header.partition(":")
        request.add_header(name, value.strip())
    host = urllib.parse.urlsplit(url).netloc
    if not asked.quiet:
        print(f"Connecting to {host}", file=sys.stderr)
    try:
        with urllib.request.urlopen(request, timeout=asked.timeout) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        print(f"wget: server returned error: HTTP/1.1 {error.code} {error.reason}", file=sys.stderr)
        return 1
    except urllib.error.URLError as error:
        return fault(host, error.reason)
    except OSError as error:
        return fault(host, error)
    if not asked.spider:
        name = asked.output_document or pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name or "index.html"
        if name == "-":
            sys.stdout.buffer.write(body)
        else:
            pathlib.Path(name).write_bytes(body)
    return 0


def fault(host: str, reason: object) -> int:
    if isinstance(reason, TimeoutError):
        print("wget: download timed out", file=sys.stderr)
    elif "not known" in str(reason) or "resolution" in str(reason):
        print(f"wget: bad address '{host}'", file=sys.stderr)
    else:
        words = getattr(reason, "strerror", None) or reason
        print(f"wget: can't connect to remote host ({host}): {words}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
