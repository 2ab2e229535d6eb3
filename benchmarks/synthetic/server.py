"""A synthetic API server for benchmarks: every byte is made beforehand, so that a client is never kept waiting.

Run as a process of its own: ``python server.py --kind pods --objects 10000 --events 50000``; it prints its port when it
is ready and serves until its standard input is closed. Lists come in pages; a watch brings, after a short silence, all
events as fast as the client reads, each in an HTTP chunk of its own as API servers send them.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

from objects import FIRST_VERSION, MAKE, PATHS, encode

SILENCE_S = 0.3
BLOCK = 256 * 1024


class Content:
    """The objects of one kind, and the events that follow."""

    def __init__(self, kind: str, objects: int, events: int) -> None:
        self.path = PATHS[kind]
        self.version = FIRST_VERSION + objects
        self.items = [encode(MAKE[kind](number, FIRST_VERSION + number)) for number in range(objects)]
        frames = []
        for number in range(events):
            line = self._event(number % objects, self.version + 1 + number)
            frames.append(b"%x\r\n%s\r\n" % (len(line), line))
        per_block = max(1, BLOCK // len(frames[0])) if frames else 1
        self.flood = [b"".join(frames[at : at + per_block]) for at in range(0, len(frames), per_block)]

    def _event(self, number: int, version: int) -> bytes:
        old, new = (b'"resourceVersion":"%d"' % one for one in (FIRST_VERSION + number, version))
        return b'{"type":"MODIFIED","object":' + self.items[number].replace(old, new, 1) + b"}\n"

    def page(self, start: int, limit: int) -> bytes:
        """A page of the list; the continue token is the number of the next object."""
        end = min(len(self.items), start + limit) if limit else len(self.items)
        meta = {"resourceVersion": str(self.version)}
        if end < len(self.items):
            meta["continue"] = str(end)
        head = encode({"kind": "List", "apiVersion": "v1", "metadata": meta})[:-1]
        return head + b',"items":[' + b",".join(self.items[start:end]) + b"]}"


def serve(connection: socket.socket, content: Content) -> None:
    """Serve the requests of one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = b""
    with connection:
        try:
            while True:
                while b"\r\n\r\n" not in waiting:
                    received = connection.recv(65536)
                    if not received:
                        return
                    waiting += received
                head, _, waiting = waiting.partition(b"\r\n\r\n")
                url = urlsplit(head.split(b" ", 2)[1].decode())
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                if url.path != content.path:
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                elif query.get("watch") == "true":
                    stream(connection, content)
                    return
                else:
                    body = content.page(int(query.get("continue", 0)), int(query.get("limit", 0)))
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    connection.sendall(head % len(body))
                    connection.sendall(body)
        except OSError:
            return  # the client went away


def stream(connection: socket.socket, content: Content) -> None:
    """One watch: silence, all events, and silence until the client leaves."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head)
    time.sleep(SILENCE_S)
    for block in content.flood:
        connection.sendall(block)
    while connection.recv(4096):
        pass


def main() -> None:
    """Make everything, then serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted(MAKE), default="widgets")
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=50_000)
    options = parser.parse_args()
    content = Content(options.kind, options.objects, options.events)
    gc.freeze()
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=serve, args=(connection, content), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
