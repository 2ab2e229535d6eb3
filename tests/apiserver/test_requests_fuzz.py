"""Requests that no client would send: none gets a 500 for a bug of the server, and the server goes on answering.

Each request is made of a valid one by changing some of its parts (a value of another type, size or depth, a key more or
less, another verb, path, query, content type or encoding); now and then every list is read in every form.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from zestor_controller.testing.clock import run_virtual

from .conftest import Talk

Json = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VALID = yaml.safe_load((Path(__file__).parent / "data" / "requests.yaml").read_text())
KINDS: list[tuple[str, Json]] = [(each["path"], each["object"]) for each in VALID["objects"]]
REVIEWS: list[tuple[str, Json]] = [(each["path"], each["object"]) for each in VALID["reviews"]]
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
ACCEPTS = (
    *("application/json", "application/yaml", "*/*", "", TABLE, PARTIAL_LIST, "application/vnd.kubernetes.protobuf"),
    *("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "application/json;q=x;as=;g", ";;,"),
)
QUERIES = (
    *("dryRun", "fieldManager", "fieldValidation", "force", "limit", "continue", "resourceVersion", "pretty"),
    *("resourceVersionMatch", "timeoutSeconds", "watch", "sendInitialEvents", "allowWatchBookmarks"),
    *("labelSelector", "fieldSelector", "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "includeObject"),
)
TEXTS = (
    *("", "0", "1", "-1", "+5", "1e400", "9" * 25, "9" * 5000, "0x10", "٣", "v1", "All", "true", "None", "Strict"),
    *("Exact", "NotOlderThan", "Foreground", "a=b", "a in (b,c)", "a>1", "a > " + "9" * 5000, "metadata.name=x", "\n"),
    *("metadata.namespace=default", "spec.nodeName=", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0"),
)
RAW = (
    *("1e400", "-0", "-0.0", "9" * 400, "9" * 5000, "-9223372036854775809", "18446744073709551615"),
    *("1.0", "1e3", "0.1e-500"),
)
DEPTHS = (3, 150, 190, 196, 197, 198, 199, 200, 201, 300, 900, 5000)
POINTERS = (
    *("", "/", "/kind", "/apiVersion", "/metadata", "/metadata/labels/a", "/metadata/name", "/spec", "/spec/replicas"),
    *("/data/a", "/spec/-", "/a/99999999999999999999", "/a/0", "/a/-", "/a/5", "/spec/containers/0/name", "x"),
    *("/status", "/metadata/managedFields", "/" + "/".join("a" * 300)),
)
OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
KEYS = (
    "",
    "a",
    "x" * 70,
    "$patch",
    "$retainKeys",
    "$setElementOrder/ports",
    "metadata",
    "0",
    "9" * 400,
    "k:[1]",
    "v:x",
    "i:x",
    "f:",
)
KEYS += ("v:" + "[" * 5000, "k:{" + '"a":{' * 500, "v:" + "9" * 5000)
YAMLS = (
    *("a: &a [1]\nb: [*a, *a]\n", "<<: {a: 1}\n", "? [1]\n: 2\n", "a: " + "9" * 5000, "a: 0x" + "f" * 400),
    *("a: .inf", "a: !!int x", "a: !!binary '*'", "a: 1e400", "- " * 3000, "{" * 900, "---\n...\n", "\t", "a: b: c"),
    "a: 1\na: 2\n",
)
OPTIONS = {
    "kind": "DeleteOptions",
    "apiVersion": "v1",
    "dryRun": [],
    "gracePeriodSeconds": 1,
    "propagationPolicy": "Background",
    "preconditions": {"uid": "u", "resourceVersion": "1"},
}
STRANGE = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63 - 1, 1.5, [], {}, [[]], [None], {"a": None}, ["x"], [1, "x", {}]),
    *("9" * 400, "\ud800", "é\u2028", "a\r\nb: c", "x" * 300, "~", "yes", "2026-01-01", "$x", ".."),
    *({"$patch": "delete"}, {"": ""}),
)
SUBRESOURCES = ("status", "status", "scale", "scale", "finalize", "log", "x", "status/y")
METHODS = ("GET", "POST", "POST", "PUT", "PUT", "PATCH", "PATCH", "PATCH", "PATCH", "DELETE")


class _Raw(str):
    """Text that is put into a document as it is."""


def _nested(depth: int, chance: random.Random) -> _Raw:
    opened = [chance.choice(["[", '{"a":']) for _ in range(depth)] if chance.random() < 0.5 else ["["] * depth
    closed = ["]" if bracket == "[" else "}" for bracket in reversed(opened)]
    return _Raw("".join([*opened, "" if opened[-1] == "[" else "1", *closed]))


def _dump(value: Any) -> bytes:
    """JSON, with the parts that are written already."""
    raws: list[str] = []

    def marked(part: Any) -> Any:
        if isinstance(part, _Raw):
            raws.append(str(part))
            return f"\0{len(raws) - 1}\0"
        if isinstance(part, dict):
            return {key: marked(inner) for key, inner in part.items()}
        return [marked(inner) for inner in part] if isinstance(part, list) else part

    text = json.dumps(marked(value))
    for index, raw in enumerate(raws):
        text = text.replace(f'"\\u0000{index}\\u0000"', raw)
    return text.encode()


def _size(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("&", "%26").replace("+", "%2B").replace("#", "%23")


class Fuzzer:
    """Makes requests; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def request(self) -> tuple[str, str, bytes, dict[str, str]]:
        """Method, path with query, body and headers of a request."""
        chance = self.chance
        path, valid = chance.choice(KINDS if chance.random() < 0.93 else REVIEWS)
        name = (valid.get("metadata") or {}).get("name", "x")
        one = f"{path}/{name if chance.random() < 0.95 else chance.choice(TEXTS[:16])}"
        if chance.random() < 0.25:
            one += "/" + chance.choice(SUBRESOURCES)
        method = chance.choice(METHODS)
        on = path if method == "POST" or chance.random() < 0.06 else one
        headers = {"accept": chance.choice(ACCEPTS) if chance.random() < 0.4 else "application/json"}
        body, headers["content-type"] = self._body(method, on, valid)
        some = chance.choice([0, 0, 0, 1, 1, 2])
        query = [f"{chance.choice(QUERIES)}={_escaped(chance.choice(TEXTS))}" for _ in range(some)]
        if method == "PATCH" and "apply" in headers["content-type"] and chance.random() < 0.9:
            query += ["fieldManager=m", "force=true"]
        if method == "DELETE" and on == path:
            query, body = [*query, "dryRun=All"], b""  # there is to be something left
        return method, on + ("?" + "&".join(query) if query else ""), body, headers

    def _body(self, method: str, on: str, valid: Json) -> tuple[bytes, str]:
        chance = self.chance
        if method == "GET":
            return b"", "application/json"
        if method == "DELETE":
            some = chance.sample(sorted(OPTIONS), chance.randint(0, 4))
            options = self._changed({key: OPTIONS[key] for key in some}, chance.randint(0, 2))
            return b"" if chance.random() < 0.3 else _dump(options), "application/json"
        if "/scale" in on:
            metadata = {"name": (valid.get("metadata") or {}).get("name", "x")}
            valid = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": 2}}
        kind = "application/json" if method != "PATCH" else chance.choice(PATCHES)
        if "json-patch" in kind:
            return _dump(self._operations()), kind
        if method == "POST" and chance.random() < 0.5 and "name" in (valid.get("metadata") or {}) and on != DEFINITIONS:
            named = {key: value for key, value in valid["metadata"].items() if key != "name"}
            valid = {**valid, "metadata": {"generateName": "g", **named}}
        value = self._changed(valid, chance.choice([0, 1, 1, 1, 2, 3]))
        if method != "PATCH" and chance.random() < 0.08:
            return self._protobuf(), "application/vnd.kubernetes.protobuf"
        if "apply" in kind or (method != "PATCH" and chance.random() < 0.1):
            return self._yaml(value), kind if method == "PATCH" else "application/yaml"
        text = _dump(value)
        if chance.random() < 0.03:
            text = text[: chance.randint(0, len(text))]
        return text, kind if chance.random() < 0.98 else chance.choice(["", "text/plain", "application/x", *PATCHES])

    def _strange(self) -> Any:
        chance = self.chance
        if chance.random() < 0.15:
            return _Raw(chance.choice(RAW))
        if chance.random() < 0.1:
            return _nested(chance.choice(DEPTHS), chance)
        return chance.choice(TEXTS) if chance.random() < 0.3 else copy.deepcopy(chance.choice(STRANGE))

    def _changed(self, value: Any, times: int) -> Any:
        """A value with some of its parts changed."""
        value = copy.deepcopy(value)
        for _ in range(times):
            places = list(self._places(value))
            if not places:
                return self._strange()
            holder, key = self.chance.choice(places)
            match self.chance.randrange(6):
                case 0:
                    del holder[key]
                case 1 if isinstance(holder, dict):
                    holder[self.chance.choice(KEYS)] = self._strange()
                case 2 if isinstance(holder, list):
                    holder.append(copy.deepcopy(holder[key]))
                case _:
                    holder[key] = self._strange()
        return value

    def _places(self, value: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, dict | list):
            for key in list(value) if isinstance(value, dict) else range(len(value)):
                yield value, key
                yield from self._places(value[key])

    def _operations(self) -> Any:
        """A JSON patch."""
        chance = self.chance
        made = []
        for _ in range(chance.randint(0, 4)):
            path, source = chance.choices(POINTERS, k=2)
            made.append({"op": chance.choice(OPERATIONS), "path": path, "from": source, "value": self._strange()})
        return made if chance.random() < 0.8 else self._changed(made, 2)

    def _protobuf(self) -> bytes:
        chance = self.chance
        inner = bytes(chance.choice([8, 10, 18, 26, 1, 2, 5, 255, 0, 97, 120]) for _ in range(chance.randint(0, 40)))
        if chance.random() < 0.3:
            for _ in range(chance.choice([5, 60])):
                inner = b"\x0a" + _size(len(inner)) + inner
        kind = chance.choice([b"ConfigMap", b"Pod", b"DeleteOptions", b"Nothing", b"Scale"])
        meta = b"\x0a\x02v1\x12" + _size(len(kind)) + kind
        whole = b"k8s\x00\x0a" + _size(len(meta)) + meta + b"\x12" + _size(len(inner)) + inner
        return whole if chance.random() < 0.9 else whole[: chance.randint(0, len(whole))]

    def _yaml(self, value: Any) -> bytes:
        if self.chance.random() < 0.3:
            return self.chance.choice(YAMLS).encode()
        text = _dump(value)
        try:
            return yaml.safe_dump(json.loads(text)).encode()
        except (ValueError, RecursionError, yaml.YAMLError):
            return text  # JSON is YAML, and holds what this dumper cannot write


async def _send(talk: Talk, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    named = {name.replace("-", "_"): text for name, text in headers.items()}
    response = await talk.send(method, path, body or None, **named)
    if isinstance(response.body, bytes):
        return response.status, response.body
    lines = b""
    async for chunk in response.body:
        lines += chunk
        if len(lines) > 100_000:
            break
    await response.body.aclose()  # type: ignore[attr-defined]
    return response.status, lines


async def _read_everything(talk: Talk) -> None:
    """Every list in every form: what was stored can be read."""
    for path in dict.fromkeys(path for path, _ in KINDS):
        for accept in ("application/json", "application/yaml", TABLE, PARTIAL_LIST):
            status, body = await _send(talk, "GET", path, b"", {"accept": accept})
            if status == 404 and "fuzz.example" in path:
                continue  # its definition was deleted
            assert status == 200, (path, accept, body[:300])
            if accept != "application/yaml":
                assert isinstance(json.loads(body)["rows" if accept == TABLE else "items"], list), (path, accept)
        status, lines = await _send(talk, "GET", f"{path}?watch=1&timeoutSeconds=1", b"", {"accept": "*/*"})
        if status == 200:
            assert all(json.loads(line)["type"] == "ADDED" for line in lines.splitlines()), path


async def _seed(talk: Talk) -> None:
    """Make the objects that are not there."""
    for definition in VALID["definitions"]:
        await talk.send("POST", DEFINITIONS, definition)
    await asyncio.sleep(0)  # the resources of a definition are served after its write
    for path, valid in KINDS:
        await talk.send("POST", path, valid)


async def fuzz(seed: int, requests: int) -> Counter[int]:
    """Send `requests` requests; the number of responses by status."""
    talk, fuzzer, found = Talk(), Fuzzer(seed), Counter[int]()
    for number in range(requests):
        if number % 25 == 0:
            await _seed(talk)
        method, path, body, headers = fuzzer.request()
        status, response = await _send(talk, method, path, body, headers)
        found[status] += 1
        case = f"seed {seed}, request {number}: {method} {path[:300]} {headers} {body[:600]!r}: {response[:400]!r}"
        assert b"met a defect" not in response, case
        if number % 250 == 249:
            await _read_everything(talk)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_a3_no_request_meets_a_bug_of_the_server(seed: int) -> None:
    found = run_virtual(fuzz(seed, 250))
    assert found[200] + found[201] > 20  # the requests are not all nonsense ...
    assert found[400] > 20  # ... and not all sense
    assert found[422] > 20


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 120))
def test_none_of_many_requests_meets_a_bug_of_the_server(seed: int) -> None:
    run_virtual(fuzz(seed, 1000))
