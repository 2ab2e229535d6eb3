"""What the embedded API server does: its start, creates beside watches, and a list of many objects.

Run ``python benchmarks/server.py``, and ``--peer URL`` to measure another API server in the same run (plain HTTP, or
with ``--peer-kubeconfig FILE``); it needs the namespace ``bench`` unless it knows no namespaces. Servers, clients and
watches are processes of their own. Clients send prepared bytes on one kept connection each and wait for the response,
of which they read the status; watches count events. Figures are medians of the rounds with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import selectors
import socket
import ssl
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from zestor_controller.testing.processes import ApiServerProcess

LOADS = "/apis/bench.example.com/v1/namespaces/bench/loads"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ITEM = {"type": "object", "properties": {name: {"type": "string"} for name in ("name", "image", "value")}}
SPEC = {"type": "object", "properties": {"n": {"type": "integer"}, "items": {"type": "array", "items": ITEM}}}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "loads.bench.example.com"},
    "spec": {
        "group": "bench.example.com",
        "scope": "Namespaced",
        "names": {"plural": "loads", "kind": "Load"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
            }
        ],
    },
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and who asks."""

    url: str
    token: str = ""

    def connect(self) -> socket.socket:
        """A connection; the certificate is not checked, for that is not what is measured."""
        at = urlsplit(self.url)
        plain = socket.create_connection((at.hostname or "", at.port or 80))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if at.scheme == "http":
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain)

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request as bytes."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(self.url).netloc}", "Accept: application/json"]
        if self.token:
            head.append(f"Authorization: Bearer {self.token}")
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def read_response(connection: socket.socket) -> tuple[int, bytes]:
    """The status and the body of the next response."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 20) or _ended()
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"content-length:" in lower:
        length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        parts, got = [body], len(body)
        while got < length:
            parts.append(connection.recv(1 << 20) or _ended())
            got += len(parts[-1])
        return int(head[9:12]), b"".join(parts)
    parts = []
    while True:
        while b"\r\n" not in body:
            body += connection.recv(1 << 20) or _ended()
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16) + 2
        rest = [body]
        while sum(map(len, rest)) < length:
            rest.append(connection.recv(1 << 20) or _ended())
        body = b"".join(rest)
        if length == 2:
            return int(head[9:12]), b"".join(parts)
        parts.append(body[: length - 2])
        body = body[length:]


def _ended() -> bytes:
    raise ConnectionError("the server closed the connection")


def ask(server: Server, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    with server.connect() as connection:
        connection.sendall(server.request(method, path, json.dumps(body).encode() if body is not None else b""))
        return read_response(connection)


def load(name: str, number: int) -> bytes:
    """An object of 1.4 KB, as the server keeps it."""
    items = [
        {"name": f"container-{n}", "image": f"registry.example.com/team/app-{n}:1.2.{n}", "value": "v" * 40}
        for n in range(6)
    ]
    metadata = {"name": name, "labels": {"app": "bench", "tier": f"t{number % 10}"}}
    body = {"apiVersion": "bench.example.com/v1", "kind": "Load", "metadata": metadata}
    return json.dumps({**body, "spec": {"n": number, "items": items}}).encode()


def create(server: Server, tag: str, seconds: float, begin: Any, results: Any) -> None:
    """A client: creates until the time is over."""
    requests = [server.request("POST", LOADS, load(f"{tag}-{number}", number)) for number in range(int(seconds * 6000))]
    with server.connect() as connection:
        begin.wait()
        end = time.perf_counter() + seconds
        done = bad = 0
        for request in requests:
            if time.perf_counter() >= end:
                break
            connection.sendall(request)
            status, _ = read_response(connection)
            done, bad = done + 1, bad + (status != 201)
    results.put((done, bad))


def watch(server: Server, count: int, version: str, ready: Any, lines: Any) -> None:
    """Many watches in one process; adds up the events that they bring."""
    chooser = selectors.DefaultSelector()
    for _ in range(count):
        connection = server.connect()
        connection.sendall(server.request("GET", f"{LOADS}?watch=true&resourceVersion={version}"))
        connection.setblocking(False)
        chooser.register(connection, selectors.EVENT_READ)
    ready.set()
    while True:
        seen = 0
        for key, _ in chooser.select():
            try:
                while data := key.fileobj.recv(1 << 18):  # type: ignore[union-attr]  # sockets
                    seen += data.count(b"}\n")
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
        with lines.get_lock():
            lines.value += seen


def creates(server: Server, clients: int, watches: int, seconds: float, tag: str) -> tuple[float, float]:
    """Creates and delivered events a second."""
    lines, ready = multiprocessing.Value("q", 0), multiprocessing.Event()
    watching = None
    if watches:
        version = json.loads(ask(server, "GET", f"{LOADS}?limit=1")[1])["metadata"]["resourceVersion"]
        watching = multiprocessing.Process(target=watch, args=(server, watches, version, ready, lines), daemon=True)
        watching.start()
        ready.wait()
    begin, results = multiprocessing.Event(), multiprocessing.Queue()  # type: ignore[var-annotated]
    workers = [
        multiprocessing.Process(target=create, args=(server, f"{tag}-{n}", seconds, begin, results), daemon=True)
        for n in range(clients)
    ]
    for worker in workers:
        worker.start()
    time.sleep(0.5 + seconds / 4)  # until they have prepared their requests
    began = time.perf_counter()
    begin.set()
    counts = [results.get() for _ in workers]
    took = time.perf_counter() - began
    total = sum(done for done, _ in counts)
    if any(bad for _, bad in counts):
        sys.exit(f"{server.url}: {sum(bad for _, bad in counts)} of {total} creates were refused")
    while watching is not None and lines.value < total * watches and time.perf_counter() - began < seconds + 20:
        time.sleep(0.005)
    delivered = lines.value / (time.perf_counter() - began)
    if watching is not None:
        if lines.value != total * watches:
            sys.exit(f"{server.url}: {lines.value} of {total * watches} events came")
        watching.terminate()
    return total / took, delivered


def listing(server: Server, objects: int, rounds: int) -> list[float]:
    """Seconds of a whole list."""
    with server.connect() as connection:
        for number in range(objects):
            connection.sendall(server.request("POST", LOADS, load(f"list-{number:06}", number)))
            read_response(connection)
        found = []
        for _ in range(rounds):
            began = time.perf_counter()
            connection.sendall(server.request("GET", LOADS))
            status, body = read_response(connection)
            found.append(time.perf_counter() - began)
            assert status == 200
            assert body.count(b'"kind":"Load"') == objects
    return found


def summary(values: list[float], form: str = "{:.0f}") -> str:
    """A median with the least and the greatest."""
    median, least, most = (form.format(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({least} .. {most})"


def measure(name: str, server: Server, rounds: int, seconds: float, objects: int) -> None:
    """Measure one server and print."""
    print(f"\n{name}: {server.url}")
    ask(server, "POST", CRDS, CRD)
    while ask(server, "GET", LOADS)[0] != 200:
        time.sleep(0.1)
    time.sleep(2.5)  # a real server delays creates in a definition's first seconds
    print(f"  list of {objects}: {summary([s * 1000 for s in listing(server, objects, rounds)])} ms")
    for clients, watches in ((1, 0), (4, 0), (1, 100), (4, 100)):
        found = [creates(server, clients, watches, seconds, f"c{clients}w{watches}r{n}") for n in range(rounds)]
        line = f"  {clients} clients, {watches:3} watches: {summary([rate for rate, _ in found])} creates/s"
        print(line + (f", {summary([events for _, events in found])} events/s" if watches else ""))


def account(kubeconfig: Path) -> Server:
    """The server and the token of a kubeconfig."""
    config = yaml.safe_load(kubeconfig.read_text())
    return Server(config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run")
    parser.add_argument("--peer", help="the URL of another server")
    parser.add_argument("--peer-kubeconfig", type=Path, help="another server, with a token")
    options = parser.parse_args()
    rounds, seconds, objects = (1, 1.0, 1_000) if options.quick else (5, 2.0, 10_000)
    packages = ("zestor-controller", "msgspec", "pydantic", "cryptography")
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print(f"{', '.join(f'{name} {version(name)}' for name in packages)}; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        starts = []
        for _ in range(rounds):
            began = time.perf_counter()
            with ApiServerProcess(folder=Path(folder)) as process:
                assert ask(account(process.kubeconfig), "GET", "/readyz")[0] == 200
                starts.append(time.perf_counter() - began)
        print(f"start to the first response: {summary(starts, '{:.2f}')} s")
        namespace = Path(folder) / "namespace.yaml"
        namespace.write_text("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: bench\n")
        with ApiServerProcess("--apply", str(namespace), folder=Path(folder)) as process:
            measure("embedded", account(process.kubeconfig), rounds, seconds, objects)
    if options.peer_kubeconfig is not None:
        measure("peer", account(options.peer_kubeconfig), rounds, seconds, objects)
    elif options.peer:
        measure("peer", Server(options.peer), rounds, seconds, objects)


if __name__ == "__main__":
    main()
