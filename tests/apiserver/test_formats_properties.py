"""Laws of the readers and writers, over values that hypothesis makes up."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller.apiserver.syntax import gojson, goyaml

FRAGMENTS = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"a"',
        '"b\\n"',
        "1",
        "-0.5e3",
        "01",
        "true",
        "nul",
        "null",
        " ",
        '"',
        "\\",
        "x",
        "-",
        ".",
    ]
)
# Beyond 2**53 a float turns into the whole number of its shortest digits, which test_formats_bodies states.
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(-(2.0**53), 2.0**53)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(st.lists(FRAGMENTS, max_size=8).map("".join))
def test_the_scanner_finds_fault_exactly_with_what_is_no_json(text):
    try:
        json.loads(text)
        readable = True
    except ValueError:
        readable = False
    assert (gojson.syntax_error(text.encode()) is None) is readable


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_json_reads_back_what_was_written(value):
    read, twice = gojson.load(json.dumps(value).encode())
    assert read == value
    assert not twice


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_yaml_reads_back_what_was_written(value):
    assert goyaml.load(goyaml.dump(value)) == (value, [])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=40) | st.text("a:- [{}]&*!|>'\"#%\n\t1~", max_size=30).map(str.encode))
def test_no_bytes_make_the_readers_fail_in_their_own_way(data):
    for load in (gojson.load, goyaml.load):
        try:
            value, _ = load(data)
        except gojson.DocumentError:
            continue
        json.dumps(value, allow_nan=False).encode()
