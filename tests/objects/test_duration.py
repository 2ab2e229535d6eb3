"""Durations: Go's and ISO 8601's forms are read, and written as they were."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from zestor_controller.objects import Duration
from zestor_controller.objects.duration import LIMIT, PATTERN

READ = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("100ms", timedelta(milliseconds=100)),
        (".5s", timedelta(milliseconds=500)),
        ("5.s", timedelta(seconds=5)),
        ("1h1h", timedelta(hours=2)),
        ("-1h", timedelta(hours=-1)),
        ("+1m", timedelta(minutes=1)),
        ("0", timedelta(0)),
        ("7µs", timedelta(microseconds=7)),
        ("7μs", timedelta(microseconds=7)),
        ("1500ns", timedelta(microseconds=2)),
        ("PT1H", timedelta(hours=1)),
        ("PT1.5S", timedelta(seconds=1.5)),
        ("PT0S", timedelta(0)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("-P2W", timedelta(weeks=-2)),
        ("999999999h" * 6, timedelta(hours=6 * 999999999)),
        ("P9999999W", timedelta(weeks=9999999)),
    ],
)
def test_a_duration_is_read_and_keeps_its_text(text: str, span: timedelta) -> None:
    read = READ.validate_json(f'"{text}"')

    assert read == span
    assert READ.dump_python(read, mode="json") == text
    for copied in (copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
        assert (copied, copied.text) == (read, text)


@pytest.mark.parametrize(
    "text", ["", "1", "1 h", "h", "P", "PT", "1d", "P1Y", "P1M", "PTH", "one hour", "1h\n", "1h " * 30]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="1h30m"):
        READ.validate_python(text)


LONGEST = timedelta(hours=999_999_999)


@given(st.timedeltas(min_value=-LONGEST, max_value=LONGEST))
def test_any_timedelta_is_written_in_a_form_that_is_read_back(span: timedelta) -> None:
    made = Duration.of(span)

    assert made == span
    assert Duration(made.text) == span


@given(st.from_regex(PATTERN, fullmatch=True).filter(lambda text: len(text) <= LIMIT))
def test_whatever_the_pattern_lets_in_is_read(text: str) -> None:
    assert READ.dump_python(READ.validate_python(text.rstrip("\n")), mode="json") == text.rstrip("\n")


def test_a_duration_is_made_of_numbers_too() -> None:
    assert Duration(hours=1, seconds=1.5).text == "1h1.5s"
    assert Duration() == timedelta(0)
    assert READ.validate_python(timedelta(minutes=5)).text == "5m"
    with pytest.raises(ValidationError, match="not 5"):
        READ.validate_python(5)


def test_the_result_of_arithmetic_is_written_as_a_duration() -> None:
    assert READ.dump_python(Duration("30m") * 3, mode="json") == "1h30m"  # type: ignore[arg-type]  # a timedelta
    with pytest.raises(ValueError, match="is no duration"):
        Duration.of(timedelta.max)
