from typing import Any

import pytest

from zestor_controller.schema.fielderror import FieldError, invalid, too_long, too_many
from zestor_controller.schema.gotext import encode, number, quote


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10"),
        (1e6, "1e+06"),
        (123456789.5, "1.234567895e+08"),
        (0.00001, "1e-05"),
        (-2.5, "-2.5"),
        (10**20, "1e+20"),
    ],
)
def test_a_number_is_printed_as_go_prints_it(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1e-7], "[1e-7]"),
        ([1e-5], "[0.00001]"),
        (["1e-07"], '["1e-07"]'),
        ({"b": "<", "a": None}, '{"a":null,"b":"\\u003c"}'),
    ],
)
def test_a_value_is_written_as_go_writes_json(value: Any, text: str) -> None:
    assert encode(value) == text


def test_a_string_is_quoted_with_its_escapes() -> None:
    assert quote('ä"\n\x01\u2028') == '"ä\\"\\n\\x01\\u2028"'


def test_one_is_not_many() -> None:
    assert too_long("a", 1).body() == "Too long: may not be more than 1 byte"
    assert too_many("a", 3, 1).body() == "Too many: 3: must have at most 1 item"


def test_a_complaint_can_be_placed_under_a_path() -> None:
    errors: list[FieldError] = [invalid("b", 1, "no"), invalid("", 1, "no")]

    assert [error.under("a").field for error in errors] == ["a.b", "a"]
