"""Documents in JSON and YAML as the API server reads them: each expectation is what its own parsers returned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zestor_controller.apiserver.syntax import gojson, goyaml


@pytest.mark.parametrize(
    ("text", "expected", "repeated"),
    [
        ("{}", {}, []),
        ("[]", [], []),
        ("1", 1, []),
        ("1.0", 1, []),
        ("1.5", 1.5, []),
        ("1e3", 1000, []),
        ("-0", 0, []),
        ("12345678901234567890", 12345678901234567000, []),
        ('"a"', "a", []),
        ('"\\u00e9"', "\u00e9", []),
        ('"\\ud800"', "\ufffd", []),
        ('"\\ud83d\\ude00"', "\ud83d\ude00", []),
        ('{"a":1,"a":2}', {"a": 2}, ["a"]),
        ('{"a":{"b":1,"b":2},"c":[{"d":1,"d":2}]}', {"a": {"b": 2}, "c": [{"d": 2}]}, ["a.b", "c[0].d"]),
        ("null", None, []),
        ("true", True, []),
        ('{"":1}', {"": 1}, []),
        ('"\x7f"', "\u007f", []),
        ('"\\/"', "/", []),
    ],
)
def test_a_json_text_has_gos_values_and_its_repeated_keys_are_found(
    text: str, expected: Any, repeated: list[str]
) -> None:
    value, has_duplicates = gojson.load(text.encode())
    assert json.dumps(value) == json.dumps(expected)  # 1 is not 1.0, and not true
    assert has_duplicates is bool(repeated)
    assert gojson.duplicate_paths(text.encode()) == repeated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1E400", "json: cannot unmarshal number 1E400 into Go value of type float64"),
        ("01", "invalid character '1' after top-level value"),
        (".5", "invalid character '.' looking for beginning of value"),
        ("+1", "invalid character '+' looking for beginning of value"),
        ("0x1", "invalid character 'x' after top-level value"),
        ('"\\x"', "invalid character 'x' in string escape code"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ('"a', "unexpected end of JSON input"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ("{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("Infinity", "invalid character 'I' looking for beginning of value"),
        ("{} {}", "invalid character '{' after top-level value"),
        ("[1 2]", "invalid character '2' after array element"),
        ("", "unexpected end of JSON input"),
        ("  ", "unexpected end of JSON input"),
        ('{"a":1', "unexpected end of JSON input"),
        ("[", "unexpected end of JSON input"),
        ('{"a":[1,{"b":2}', "unexpected end of JSON input"),
        ('"\\u12"', "invalid character '\"' in \\u hexadecimal character escape"),
        ("\ufeff{}", "invalid character '\u00ef' looking for beginning of value"),
        ('"\t"', "invalid character '\\t' in string literal"),
        ("/**/1", "invalid character '/' looking for beginning of value"),
        ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
        ("[1,2", "unexpected end of JSON input"),
        ('{"a":"b" "c":1}', "invalid character '\"' after object key:value pair"),
        ("-a", "invalid character 'a' in numeric literal"),
        ("--1", "invalid character '-' in numeric literal"),
        ("1a", "invalid character 'a' after top-level value"),
    ],
)
def test_a_text_that_is_no_json_is_rejected_with_gos_message(text: str, message: str) -> None:
    with pytest.raises(gojson.DocumentError) as raised:
        gojson.load(text.encode())
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1", {"a": 1}),
        ("a: 1.0", {"a": 1}),
        ("a: 1e3", {"a": 1000}),
        ("a: 0x10", {"a": 16}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 15}),
        ("a: 1_000", {"a": 1000}),
        ("a: yes", {"a": True}),
        ("a: on", {"a": True}),
        ("a: y", {"a": True}),
        ("a: ~", {"a": None}),
        ("a: null", {"a": None}),
        ("a:", {"a": None}),
        ("a: 'yes'", {"a": "yes"}),
        ('a: "x\\ny"', {"a": "x\ny"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: >\n  x\n  y\n", {"a": "x y\n"}),
        ("- 1\n- a", [1, "a"]),
        ("a: {b: c}", {"a": {"b": "c"}}),
        ("a: [1, 2]", {"a": [1, 2]}),
        ("a: &x 1\nb: *x", {"a": 1, "b": 1}),
        ("a: 1\na: 2", {"a": 2}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 12:30", {"a": "12:30"}),
        ("1: a", {"1": "a"}),
        ("true: a", {"true": "a"}),
        ("1.5: a", {"1.5": "a"}),
        ("<<: {a: 1}\nb: 2", {"a": 1, "b": 2}),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  b: 2", {"true": {"a": 1, "b": 2}, "x": {"a": 1}}),
        ("a: !!str 1", {"a": "1"}),
        ("a: !!int '1'", {"a": 1}),
        ("a: !!binary YQ==", {"a": "a"}),
        ("---\na: 1\n---\nb: 2", {"a": 1}),
        ("--- a", "a"),
        ("", None),
        ("# c", None),
        ("a: 'it''s'", {"a": "it's"}),
        ("a: 0b101", {"a": 5}),
        ("a: +1", {"a": 1}),
        ("a: 1.", {"a": 1}),
        ("a: .5", {"a": 0.5}),
        ("a: 1e400", {"a": "1e400"}),
        ("a: -9223372036854775808", {"a": -9223372036854775808}),
        ('a: "\\x41"', {"a": "A"}),
        ("a: 0.1e1", {"a": 1}),
        ("a: TRUE", {"a": True}),
        ("a: No", {"a": False}),
        ("a: 0o8", {"a": "0o8"}),
        ("a: 08", {"a": 8}),
        ("a: 1e3_0", {"a": 1e30}),
    ],
)
def test_a_yaml_text_has_the_values_that_sigs_k8s_io_yaml_finds(text: str, expected: Any) -> None:
    assert goyaml.load(text.encode())[0] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *x", "yaml: unknown anchor 'x' referenced"),
        ("a: b: c", "yaml: mapping values are not allowed in this context"),
        ("a:\n\tb: 1", "yaml: line 2: found character that cannot start any token"),
        ("a: .inf", "json: unsupported value: +Inf"),
        ("a: @x", "yaml: found character that cannot start any token"),
        ("a: `x", "yaml: found character that cannot start any token"),
        ("a: %x", "yaml: found character that cannot start any token"),
        ("[a", "yaml: line 1: did not find expected ',' or ']'"),
        ("{a: 1", "yaml: line 1: did not find expected ',' or '}'"),
        ("'a", "yaml: found unexpected end of stream"),
        ("a: 'b' c", "yaml: did not find expected key"),
        ("- a\nb: 1", "yaml: line 1: did not find expected '-' indicator"),
        ("a\nb: c", "yaml: line 2: mapping values are not allowed in this context"),
        ('a: "\\q"', "yaml: found unknown escape character"),
    ],
)
def test_a_text_that_is_no_yaml_is_rejected_with_gos_message(text: str, message: str) -> None:
    with pytest.raises(gojson.DocumentError) as raised:
        goyaml.load(text.encode())
    assert str(raised.value) == message
