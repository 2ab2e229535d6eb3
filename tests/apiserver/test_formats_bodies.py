"""Bodies by content type: what is read, and the messages for what cannot be."""

import json

import pytest

from zestor_controller.apiserver.request import body as bodies
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.rest.wireprofile import PROTOBUF, TYPED, UNSTRUCTURED
from zestor_controller.apiserver.syntax import gojson, goyaml

JSON_ERRORS = {
    "": "unexpected end of JSON input",
    "{": "unexpected end of JSON input",
    '{"a":}': "invalid character '}' looking for beginning of value",
    '{"a" 1}': "invalid character '1' after object key",
    "{a:1}": "invalid character 'a' looking for beginning of object key string",
    '{"a":1 "b"}': "invalid character '\"' after object key:value pair",
    "[1 2]": "invalid character '2' after array element",
    "nul1": "invalid character '1' in literal null (expecting 'l')",
    '"a\nb"': "invalid character '\\n' in string literal",
    '"\\x"': "invalid character 'x' in string escape code",
    '"\\u12g4"': "invalid character 'g' in \\u hexadecimal character escape",
    "01": "invalid character '1' after top-level value",
    "1.x": "invalid character 'x' after decimal point in numeric literal",
    "1ex": "invalid character 'x' in exponent of numeric literal",
    "-x": "invalid character 'x' in numeric literal",
    "NaN": "invalid character 'N' looking for beginning of value",
    "[1]]": "invalid character ']' after top-level value",
    '{"a":1e999}': "json: cannot unmarshal number 1e999 into Go value of type float64",
    "'": "invalid character '\\'' looking for beginning of value",
}


@pytest.mark.parametrize(("text", "message"), JSON_ERRORS.items())
def test_a_json_text_that_cannot_be_read_is_rejected_with_gos_message(text, message):
    with pytest.raises(gojson.DocumentError) as raised:
        gojson.load(text.encode())
    assert str(raised.value) == message


def test_deep_nesting_is_refused_not_a_crash():
    with pytest.raises(gojson.DocumentError, match="max depth"):
        gojson.load(b"[" * 200_000 + b"]" * 200_000)


def test_numbers_come_out_as_go_would_write_them():
    value, _ = gojson.load(b"[1.0, 1e3, 1.5, -0, 9007199254740993, 123456789012345678901, 1e21]")
    assert value == [1, 1000, 1.5, 0, 9007199254740993, 123456789012345680000, 1e21]
    assert [type(item) for item in value] == [int, int, float, int, int, int, float]


def test_text_that_is_not_unicode_can_be_encoded_again():
    value, _ = gojson.load(rb'{"a":"\ud800","\udc00":"ok \ud83d\ude00"}')
    assert value == {"a": "\ufffd", "\ufffd": "ok \U0001f600"}
    json.dumps(value, ensure_ascii=False).encode()
    assert gojson.load(b'"\xff"')[0] == "\ufffd"


def test_duplicate_keys_are_named_by_their_full_path_once_and_the_last_wins():
    text = b'{"a":1,"a":{"b":[{"c":1,"c":2}]},"a":3,"l":[1,{"x":1,"x":2,"x":3}]}'
    body = bodies.decode_object(None, text, "Thing")
    assert body.duplicates == ["a", "a.b[0].c", "l[1].x"]
    assert body.value == {"a": 3, "l": [1, {"x": 3}]}


def test_yaml_follows_gos_resolution_of_plain_scalars():
    text = b"a: y\nb: 0x10\nc: 010\nd: 2020-01-01\ne: 1.0\nf: 12345678901234567890\n1: x\ntrue: 2\nn1: ~\ns: 'y'\n"
    value, twice = goyaml.load(text)
    assert value == {
        "a": True, "b": 16, "c": 8, "d": "2020-01-01", "e": 1, "f": 12345678901234567000,
        "1": "x", "true": 2, "n1": None, "s": "y",
    }  # fmt: skip
    assert twice == []


def test_yaml_merges_anchors_names_duplicates_and_reads_the_first_document_only():
    value, twice = goyaml.load(b"a: &x {k: 1, z: 0}\nb:\n  <<: *x\n  z: 1\n  z: 2\n---\nsecond: 1\n")
    assert value == {"a": {"k": 1, "z": 0}, "b": {"k": 1, "z": 2}}
    assert twice == ["b.z"]


YAML_ERRORS = {
    "a: [": "yaml: line 1: did not find expected node content",
    "a: b: c": "yaml: mapping values are not allowed in this context",
    "a:\n\t- b": "yaml: line 2: found character that cannot start any token",
    "a: *z": "yaml: unknown anchor 'z' referenced",
}


@pytest.mark.parametrize(("text", "message"), YAML_ERRORS.items())
def test_a_yaml_text_that_cannot_be_read_is_rejected_with_gos_message(text, message):
    with pytest.raises(gojson.DocumentError) as raised:
        goyaml.load(text.encode())
    assert str(raised.value) == message


def test_a_bomb_of_aliases_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(gojson.DocumentError, match="excessive aliasing"):
        goyaml.load("\n".join(lines).encode())


def test_yaml_output_is_sorted_and_quotes_what_would_read_differently():
    value = {
        "text": "x\ny\n", "none": [], "empty": {}, "list": [1, [2, {"q": None}], {"x": 1.5, "y": True}],
        "version": "12", "word": "y", "time": "2020-01-01T00:00:00Z", "item10": 1, "item9": 1, "plain": "a-b",
    }  # fmt: skip
    assert goyaml.dump(value).decode() == (
        'empty: {}\nitem9: 1\nitem10: 1\nlist:\n- 1\n- - 2\n  - q: null\n- x: 1.5\n  "y": true\nnone: []\n'
        'plain: a-b\ntext: |\n  x\n  y\ntime: "2020-01-01T00:00:00Z"\nversion: "12"\nword: "y"\n'
    )
    assert goyaml.load(goyaml.dump(value))[0] == value


def refusal(content_type, data, wire=TYPED):
    with pytest.raises(Failure) as raised:
        bodies.decode_object(content_type, data, "ConfigMap", wire)
    return raised.value.code, raised.value.body["message"]


def test_what_is_no_object_is_refused_with_a_summary_of_the_body():
    code, message = refusal(None, b"[]")
    assert code == 400
    assert message == (
        "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
        "json: cannot unmarshal array into Go value of type struct { APIVersion string "
        '"json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)'
    )
    assert refusal(None, b"")[1].endswith("unexpected end of JSON input (<empty>)")
    long = b'{"apiVersion":"v1","kind":"ConfigMap"} trailing'
    assert refusal(None, long)[1].endswith('after top-level value ({"apiVersion":"v1","kind":"Con ...)')
    assert refusal(bodies.YAML, b"a: [")[1].endswith("line 1: did not find expected node content (613a205b)")
    assert ".kind of type string" in refusal(None, b'{"kind":1}')[1]


def test_a_custom_resource_must_say_its_kind_and_a_built_in_need_not():
    assert bodies.decode_object(None, b"null", "ConfigMap").value == {}
    assert refusal(None, b"null", UNSTRUCTURED)[1].endswith("Object 'Kind' is missing in 'null' (6e756c6c)")


def test_unknown_types_and_too_large_bodies_are_refused():
    assert refusal("text/plain", b"x")[0] == 415
    assert refusal(PROTOBUF, b"k8s\x00", UNSTRUCTURED)[0] == 415
    assert refusal(None, b"x" * (bodies.LIMIT + 1)) == (413, "Request entity too large: limit is 3145728")
    assert (
        bodies.decode_object("application/json; charset=utf-8", b'{"kind":"ConfigMap"}', "ConfigMap").duplicates == []
    )


def test_patch_types_are_distinguished_by_kind_of_resource():
    assert bodies.patch_type("application/merge-patch+json; charset=utf-8", TYPED) == "application/merge-patch+json"
    with pytest.raises(Failure, match="415: Unsupported Media Type"):
        bodies.patch_type(None, TYPED)
    with pytest.raises(Failure) as raised:
        bodies.patch_type("application/strategic-merge-patch+json", UNSTRUCTURED)
    assert raised.value.code == 415
    assert "apply-patch+yaml" in raised.value.body["message"]
