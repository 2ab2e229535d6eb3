"""Mutated HTTP/1.1 requests: valid ones, changed where readers of HTTP are known to disagree."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

METHODS = [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"HEAD"]
TARGETS = [
    b"/",
    b"/api/v1/namespaces/default/pods?watch=1&resourceVersion=12",
    b"/apis/apps/v1/deployments/a%20b?fieldManager=x%26y&dryRun=All",
    b"/api?labelSelector=a+in+(b,c)&empty=&flag",
    b"http://cluster.example/healthz?verbose",
]
FIELDS = [
    b"Accept: application/json, */*;q=0.5",
    b"User-Agent: kubectl/v1.36.0 (linux/amd64)",
    b"Authorization: Bearer a.b-c_d~e+f/g=",
    b"X-Empty:",
    b"X-Spaces:  \t two words \t ",
    b"Impersonate-Group: cn=a,ou=b",
    b"Impersonate-Group: system:masters",
    b'Warning: 299 - "caf\xe9"',
]
BODIES = [b"", b"{}", b'{"kind": "Pod"}', b"x" * 300, b"a\r\n\r\nb", b"GET / HTTP/1.1\r\nHost: inner\r\n\r\n"]
CONNECTIONS = [b"close", b"keep-alive", b"Keep-Alive, Upgrade", b"CLOSE", b"close, x", b"upgrade"]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0"]


def _chunks(rng: random.Random, body: bytes) -> bytes:
    """A body in chunks of random sizes, with extensions and trailers now and then."""
    sent = b""
    while body:
        size = rng.randint(1, len(body))
        digits = rng.choice([b"%x", b"%X", b"0%x", b"000%x"]) % size
        extension = rng.choice([b"", b"", b"", b";a", b"; a=b", b';a="b;c"'])
        sent += digits + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    trailers = rng.choice([b"", b"", b"X-Trailer: t\r\n", b"A: b\r\nC: d\r\n"])
    return sent + rng.choice([b"0", b"0", b"00", b"0;end"]) + b"\r\n" + trailers + b"\r\n"


def valid_request(rng: random.Random) -> bytes:
    """One request that every reader accepts."""
    fields = rng.sample(FIELDS, rng.randint(0, 4))
    body, sent = rng.choice(BODIES), b""
    framing = rng.choice(["none", "length", "chunked"])
    if framing == "length":
        fields.append(b"Content-Length: %d" % len(body))
        sent = body
    elif framing == "chunked":
        fields.append(b"Transfer-Encoding: chunked")
        sent = _chunks(rng, body)
    if rng.random() < 0.15:
        fields.append(b"Connection: " + rng.choice(CONNECTIONS))
    rng.shuffle(fields)
    fields.insert(rng.randint(0, len(fields)), b"Host: cluster.example:6443")
    version = b"HTTP/1.1" if framing == "chunked" else rng.choice(VERSIONS)
    line = b" ".join([rng.choice(METHODS), rng.choice(TARGETS), version])
    return b"\r\n".join([line, *fields, b"", b""]) + sent


# Mutations: each takes a request and returns another, or the same where it finds nothing to change


def _replace_one(rng: random.Random, data: bytes, old: bytes, new: bytes) -> bytes:
    places = [at for at in range(len(data)) if data.startswith(old, at)]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + new + data[at + len(old) :]


def _insert_byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + bytes([rng.choice([0, 9, 10, 11, 13, 32, 34, 43, 44, 45, 58, 59, 127, 128, 255])]) + data[at:]


def _delete_byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + 1 :]


def _change_byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _with_field(field: bytes) -> Callable[[random.Random, bytes], bytes]:
    def mutate(rng: random.Random, data: bytes) -> bytes:
        head, end, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        lines.insert(rng.randint(1, len(lines)), field)
        return b"\r\n".join(lines) + end + body

    return mutate


def _fold(rng: random.Random, data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lines.insert(rng.randint(1, len(lines)), rng.choice([b" folded", b"\tfolded", b" ", b" a: b"]))
    return b"\r\n".join(lines) + end + body


def _repeat_field(rng: random.Random, data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if len(lines) > 1:
        lines.insert(rng.randint(1, len(lines)), rng.choice(lines[1:]))
    return b"\r\n".join(lines) + end + body


def _drop_field(rng: random.Random, data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if len(lines) > 1:
        del lines[rng.randrange(1, len(lines))]
    return b"\r\n".join(lines) + end + body


def _case(rng: random.Random, data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    first, _, fields = head.partition(b"\r\n")
    return first + b"\r\n" + rng.choice([fields.upper, fields.lower, fields.swapcase])() + end + body


def _swap(old: list[bytes], new: list[bytes]) -> Callable[[random.Random, bytes], bytes]:
    return lambda rng, data: _replace_one(rng, data, rng.choice(old), rng.choice(new))


def _length(rng: random.Random, data: bytes) -> bytes:
    values = [b"5, 5", b"+5", b"-5", b"0x5", b"5 ", b" 5", b"05", b"5.0", b"", b"5;", b"99999999", b"9" * 18, b"9" * 30]
    marker = b"Content-Length: "
    at = data.find(marker)
    if at < 0:
        return data
    end = data.find(b"\r\n", at)
    return data[: at + len(marker)] + rng.choice(values) + data[end:]


MUTATIONS: list[Callable[[random.Random, bytes], bytes]] = [
    _insert_byte,
    _delete_byte,
    _change_byte,
    _truncate,
    _fold,
    _repeat_field,
    _drop_field,
    _case,
    _length,
    _with_field(b"Content-Length: 3"),
    _with_field(b"Content-Length: 0"),
    _with_field(b"Transfer-Encoding: chunked"),
    _with_field(b"Transfer-Encoding: gzip"),
    _with_field(b"Transfer-Encoding: gzip, chunked"),
    _with_field(b"Transfer-Encoding: CHUNKED"),
    _with_field(b"Host: other.example"),
    _with_field(b"Space : before colon"),
    _with_field(b": no name"),
    _with_field(b"no colon"),
    _with_field(b"X-Long: " + b"x" * 5000),
    _with_field(b"Connection: enclosed"),
    _with_field(b"Connection: keep-alive"),
    _with_field(b"Expect: 100-continue"),
    _with_field(b"Upgrade: SPDY/3.1"),
    _swap([b"\r\n"], [b"\n", b"\r", b"\r\r\n", b"\n\n", b" \r\n", b"\r\n\r\n"]),
    _swap([b" "], [b"  ", b"\t", b"", b"\x0b"]),
    _swap([b": ", b":"], [b"", b" : ", b":", b":\t", b"::", b";"]),
    _swap([b"HTTP/1.1"], [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1", b"HTTP/11", b"HTTP/0.9"]),
    _swap([b"/"], [b"*", b"", b"//", b"\\", b"%2f", b"/\xe9", b"/#f", b"?"]),
    _swap([b"GET", b"POST", b"PUT"], [b"get", b"G(T", b"", b"POST\xff", b"CONNECT", b"PRI"]),
    _swap(
        [b"0\r\n", b"1", b"2"], [b"-1\r\n", b"0x1\r\n", b" 1\r\n", b"1 \r\n", b"000000000\r\n", b"1;\n\r\n", b"g\r\n"]
    ),
    lambda rng, data: b"\r\n" * rng.randint(1, 3) + data,
    lambda rng, data: data + rng.choice([b"x", b"\r\n", b"\x00", b"GET"]),
]


def cases(seed: int, count: int) -> Iterator[tuple[bytes, list[int]]]:
    """Streams of bytes with one to three requests, of which one is mutated a few times, and where to cut each."""
    rng = random.Random(seed)
    for _ in range(count):
        requests = [valid_request(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        at = rng.randrange(len(requests))
        for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3])):
            if requests[at]:
                requests[at] = rng.choice(MUTATIONS)(rng, requests[at])
        data = b"".join(requests)
        cuts = sorted(rng.sample(range(len(data) + 1), min(len(data), rng.choice([0, 1, 2, 8]))))
        if rng.random() < 0.05:
            cuts = list(range(len(data)))
        yield data, cuts
