"""Protobuf bodies of stock clients come out as the JSON that they mean; damaged ones are refused."""

import base64
import json
from pathlib import Path

import pytest

from zestor_controller.apiserver.encoding import protobuf
from zestor_controller.apiserver.request import body as bodies
from zestor_controller.apiserver.rest.status import Failure, not_acceptable
from zestor_controller.apiserver.rest.wireprofile import PROTOBUF
from zestor_controller.apiserver.syntax.gojson import DocumentError

SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "data/protobuf-bodies.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{n}-{sample['gvk']}" for n, sample in enumerate(SAMPLES)])
def test_a_body_of_a_stock_client_means_the_same_as_its_json(sample):
    assert protobuf.decode_object(base64.b64decode(sample["protobuf_base64"])) == sample["json"]


def test_a_body_cut_anywhere_is_refused_or_shorter_but_never_crashes():
    whole = base64.b64decode(SAMPLES[0]["protobuf_base64"])
    refused = 0
    for end in range(len(whole)):
        try:
            protobuf.decode_object(whole[:end])
        except DocumentError:
            refused += 1
    assert refused > len(whole) * 0.9


def test_a_body_with_any_byte_changed_never_crashes():
    whole = base64.b64decode(SAMPLES[0]["protobuf_base64"])
    outcomes = set()
    for at in range(4, len(whole), 3):
        broken = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            json.dumps(protobuf.decode_object(broken)).encode()
            outcomes.add("read")
        except DocumentError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


REFUSALS = {
    b"": "empty data",
    b"{}": "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    b"k8s\x00": "empty body",
    b"k8s\x00\x0a\x05": "unexpected EOF",
    b"k8s\x00\x0a\x0b\x0a\x02v1\x12\x05Thing": 'no kind "Thing" is registered for version "v1"',
}


@pytest.mark.parametrize(("data", "message"), REFUSALS.items())
def test_what_is_no_kubernetes_protobuf_is_a_bad_request(data, message):
    with pytest.raises(Failure) as raised:
        bodies.decode_object(PROTOBUF, data, "ConfigMap")
    assert raised.value.code == 400
    assert message in raised.value.body["message"]


def test_a_status_is_written_so_that_it_reads_back():
    body = not_acceptable(["application/json"]).body
    assert protobuf.decode_object(protobuf.encode_status(body)) == body


def test_options_of_a_deletion_are_read_under_any_version():
    meta = b"\x0a\x07apps/v1\x12\x0dDeleteOptions"
    options = b"\x08\x00\x22\x0aForeground"
    data = protobuf.MAGIC + b"\x0a" + bytes([len(meta)]) + meta + b"\x12" + bytes([len(options)]) + options
    read = protobuf.decode_object(data)
    assert read["kind"] == "DeleteOptions"
    assert read["propagationPolicy"] == "Foreground"
    assert read["gracePeriodSeconds"] == 0
