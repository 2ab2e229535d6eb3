"""Quantities, times and bytes as Go reads and prints them: each expectation is what Go's own code returned."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zestor_controller.apiserver.encoding.gotime import micro_time, plain_time
from zestor_controller.apiserver.encoding.quantity import canonical, value_of
from zestor_controller.apiserver.syntax.gobase64 import canonical_base64


def error_of(function: Callable[[str], object], text: str) -> str:
    try:
        function(text)
    except ValueError as error:
        return str(error)
    return "accepted"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("00", "0"),
        ("1", "1"),
        ("+1", "+1"),
        ("-1", "-1"),
        ("1.", "1."),
        ("1.0", "1"),
        ("1.5", "1500m"),
        (".5", "500m"),
        ("0.5", "500m"),
        ("-0.5", "-500m"),
        ("1000", "1k"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("100m", "100m"),
        ("0.1m", "100u"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1u", "1u"),
        ("1k", "1k"),
        ("1M", "1M"),
        ("1000k", "1M"),
        ("1024", "1024"),
        ("1024Ki", "1Mi"),
        ("1Ki", "1Ki"),
        ("1Mi", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("0.0001Ki", "102400u"),
        ("1Ei", "1Ei"),
        ("8Ei", "9223372036854775807"),
        ("9Ei", "9223372036854775807"),
        ("1E", "1E"),
        ("1e3", "1e3"),
        ("1E3", "1E3"),
        ("1e-3", "1e-3"),
        ("12e6", "12e6"),
        ("1e1", "10"),
        ("1e2", "100"),
        ("1.5e3", "1500"),
        ("1e+3", "1e+3"),
        ("e3", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("123456789012345678901", "123456789012345678901"),
        ("0.000000001", "1n"),
        ("0.0000000001", "1n"),
        ("999999999999999999999Ki", "9223372036854775807"),
        ("1e19", "10e18"),
        ("1e100", "10e99"),
        ("1P", "1P"),
        ("1Pi", "1Pi"),
        ("1T", "1T"),
        ("1Ti", "1Ti"),
        ("3.14159265358979", "3141592654n"),
        ("100000", "100k"),
        ("1234567k", "1234567k"),
        ("12345678901234567n", "12345678901234567n"),
        ("-1500m", "-1500m"),
        ("-1Ki", "-1Ki"),
        ("-0", "0"),
        ("0Ki", "0"),
        ("0m", "0"),
        ("10e-1", "1"),
        ("1e0", "1e0"),
        ("000123", "000123"),
        ("1.10", "1100m"),
        ("1.100Ki", "1126400m"),
        ("2.5Ki", "2560"),
        ("1000000", "1M"),
        ("1000000000000000000", "1E"),
    ],
)
def test_a_quantity_has_one_canonical_form(text: str, expected: str) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1K", "unable to parse quantity's suffix"),
        ("1e", "unable to parse quantity's suffix"),
        ("1 ", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        (" 1", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("1i", "unable to parse quantity's suffix"),
        ("1Kii", "unable to parse quantity's suffix"),
        ("0x1", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("1_000", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("1,5", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("1m1", "unable to parse quantity's suffix"),
        ("1mi", "unable to parse quantity's suffix"),
    ],
)
def test_a_text_that_is_no_quantity_is_rejected_with_gos_message(text: str, message: str) -> None:
    assert error_of(canonical, text) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T01:02:03Z", "2024-02-29T01:02:03Z"),
        ("2024-02-29T01:02:03.5Z", "2024-02-29T01:02:03Z"),
        ("2024-02-29T01:02:03+02:00", "2024-02-28T23:02:03Z"),
        ("2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00.000001-23:59", "2024-01-01T23:59:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00+24:00", "2023-12-31T00:00:00Z"),
    ],
)
def test_a_time_is_printed_in_utc_and_whole_seconds(text: str, expected: str) -> None:
    assert plain_time(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2024-02-29T24:00:00Z", 'parsing time "2024-02-29T24:00:00Z": hour out of range'),
        ("2023-02-29T01:02:03Z", 'parsing time "2023-02-29T01:02:03Z": day out of range'),
        ("2024-13-01T00:00:00Z", 'parsing time "2024-13-01T00:00:00Z": month out of range'),
        ("2024-01-01", 'parsing time "2024-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
        (
            "2024-01-01 00:00:00Z",
            'parsing time "2024-01-01 00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 00:00:00Z" as "T"',
        ),
        (
            "2024-01-01T00:00Z",
            'parsing time "2024-01-01T00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "Z" as ":"',
        ),
        (
            "2024-1-01T00:00:00Z",
            (
                'parsing time "2024-1-01T00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse '
                '"1-01T00:00:00Z" as "01"'
            ),
        ),
        ("", 'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"'),
        ("soon", 'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"'),
        (
            "2024-01-01T00:00:00",
            'parsing time "2024-01-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"',
        ),
        ("2024-01-01T00:00:60Z", 'parsing time "2024-01-01T00:00:60Z": second out of range'),
        ("2024-01-01T00:61:00Z", 'parsing time "2024-01-01T00:61:00Z": minute out of range'),
        (
            "2024-01-01T00:00:00z",
            'parsing time "2024-01-01T00:00:00z" as "2006-01-02T15:04:05Z07:00": cannot parse "z" as "Z07:00"',
        ),
        (
            "2024-01-01t00:00:00Z",
            'parsing time "2024-01-01t00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "t00:00:00Z" as "T"',
        ),
        ("2024-01-01T00:00:00Zx", 'parsing time "2024-01-01T00:00:00Zx": extra text: "x"'),
        ("2024-01-32T00:00:00Z", 'parsing time "2024-01-32T00:00:00Z": day out of range'),
        ("2024-00-01T00:00:00Z", 'parsing time "2024-00-01T00:00:00Z": month out of range'),
        (
            "2024-01-01T00:00:00+0200",
            (
                'parsing time "2024-01-01T00:00:00+0200" as "2006-01-02T15:04:05Z07:00": cannot '
                'parse "+0200" as "Z07:00"'
            ),
        ),
        (
            "2024-01-01T00:00:00.Z",
            'parsing time "2024-01-01T00:00:00.Z" as "2006-01-02T15:04:05Z07:00": cannot parse ".Z" as "Z07:00"',
        ),
    ],
)
def test_a_text_that_is_no_time_is_rejected_with_gos_message(text: str, message: str) -> None:
    assert error_of(plain_time, text) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.123456Z"),
        ("2024-01-01T00:00:00.000001-23:59", "2024-01-01T23:59:00.000001Z"),
    ],
)
def test_a_micro_time_is_printed_in_utc_with_six_digits(text: str, expected: str) -> None:
    assert micro_time(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "2024-02-29T01:02:03Z",
            (
                'parsing time "2024-02-29T01:02:03Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "Z" as ".000000"'
            ),
        ),
        (
            "2024-02-29T01:02:03.5Z",
            (
                'parsing time "2024-02-29T01:02:03.5Z" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse ".5Z" as ".000000"'
            ),
        ),
        (
            "2024-02-29T01:02:03+02:00",
            (
                'parsing time "2024-02-29T01:02:03+02:00" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse "+02:00" as ".000000"'
            ),
        ),
        ("2024-02-29T24:00:00Z", 'parsing time "2024-02-29T24:00:00Z": hour out of range'),
        (
            "2023-02-29T01:02:03Z",
            (
                'parsing time "2023-02-29T01:02:03Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "Z" as ".000000"'
            ),
        ),
        ("2024-13-01T00:00:00Z", 'parsing time "2024-13-01T00:00:00Z": month out of range'),
        ("2024-01-01", 'parsing time "2024-01-01" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "" as "T"'),
        (
            "2024-01-01 00:00:00Z",
            (
                'parsing time "2024-01-01 00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse " 00:00:00Z" as "T"'
            ),
        ),
        (
            "2024-01-01T00:00Z",
            'parsing time "2024-01-01T00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ":"',
        ),
        (
            "2024-1-01T00:00:00Z",
            (
                'parsing time "2024-1-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "1-01T00:00:00Z" as "01"'
            ),
        ),
        ("", 'parsing time "" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "" as "2006"'),
        ("soon", 'parsing time "soon" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "soon" as "2006"'),
        (
            "2024-01-01T00:00:00",
            ('parsing time "2024-01-01T00:00:00" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "" as ".000000"'),
        ),
        ("2024-01-01T00:00:60Z", 'parsing time "2024-01-01T00:00:60Z": second out of range'),
        ("2024-01-01T00:61:00Z", 'parsing time "2024-01-01T00:61:00Z": minute out of range'),
        (
            "2024-01-01T00:00:00z",
            (
                'parsing time "2024-01-01T00:00:00z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "z" as ".000000"'
            ),
        ),
        (
            "2024-01-01t00:00:00Z",
            (
                'parsing time "2024-01-01t00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "t00:00:00Z" as "T"'
            ),
        ),
        (
            "2024-01-01T00:00:00.1234567Z",
            (
                'parsing time "2024-01-01T00:00:00.1234567Z" as '
                '"2006-01-02T15:04:05.000000Z07:00": cannot parse "7Z" as "Z07:00"'
            ),
        ),
        (
            "2024-01-01T00:00:00Zx",
            (
                'parsing time "2024-01-01T00:00:00Zx" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse "Zx" as ".000000"'
            ),
        ),
        (
            "0001-01-01T00:00:00Z",
            (
                'parsing time "0001-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "Z" as ".000000"'
            ),
        ),
        (
            "9999-12-31T23:59:59Z",
            (
                'parsing time "9999-12-31T23:59:59Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "Z" as ".000000"'
            ),
        ),
        (
            "2024-01-01T00:00:00,5Z",
            (
                'parsing time "2024-01-01T00:00:00,5Z" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse ",5Z" as ".000000"'
            ),
        ),
        (
            "2024-01-32T00:00:00Z",
            (
                'parsing time "2024-01-32T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "Z" as ".000000"'
            ),
        ),
        ("2024-00-01T00:00:00Z", 'parsing time "2024-00-01T00:00:00Z": month out of range'),
        (
            "2024-01-01T00:00:00+24:00",
            (
                'parsing time "2024-01-01T00:00:00+24:00" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse "+24:00" as ".000000"'
            ),
        ),
        (
            "2024-01-01T00:00:00+0200",
            (
                'parsing time "2024-01-01T00:00:00+0200" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse "+0200" as ".000000"'
            ),
        ),
        (
            "2024-01-01T00:00:00.Z",
            (
                'parsing time "2024-01-01T00:00:00.Z" as "2006-01-02T15:04:05.000000Z07:00": '
                'cannot parse ".Z" as ".000000"'
            ),
        ),
    ],
)
def test_a_text_that_is_no_micro_time_is_rejected_with_gos_message(text: str, message: str) -> None:
    assert error_of(micro_time, text) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("YQ==", "YQ=="),
        ("YWI=", "YWI="),
        ("YWJj", "YWJj"),
        ("YWJj\n", "YWJj"),
        ("YW\nJj", "YWJj"),
        ("YW\r\nJj", "YWJj"),
        ("YR==", "YQ=="),
        ("YWJjZA==", "YWJjZA=="),
        ("YWJjZA==\n", "YWJjZA=="),
        ("YQ=\n=", "YQ=="),
    ],
)
def test_bytes_are_printed_in_standard_base64(text: str, expected: str) -> None:
    assert canonical_base64(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("YQ=", "illegal base64 data at input byte 3"),
        ("YQ", "illegal base64 data at input byte 0"),
        ("Y Wj", "illegal base64 data at input byte 1"),
        ("YW-j", "illegal base64 data at input byte 2"),
        ("YW_j", "illegal base64 data at input byte 2"),
        ("Y===", "illegal base64 data at input byte 1"),
        ("=", "illegal base64 data at input byte 0"),
        ("YQ==YQ==", "illegal base64 data at input byte 4"),
        ("====", "illegal base64 data at input byte 0"),
        ("\u00e9", "illegal base64 data at input byte 0"),
        ("YQ==\nx", "illegal base64 data at input byte 5"),
    ],
)
def test_a_text_that_is_no_base64_is_rejected_at_the_byte_where_go_stops(text: str, message: str) -> None:
    assert error_of(canonical_base64, text) == message


@pytest.mark.parametrize(
    ("left", "right"),
    [("1", "1000m"), ("1Ki", "1024"), ("0.5Gi", "512Mi"), ("1e3", "1k"), ("1n", "0.000001m"), ("-1", "-1000m")],
)
def test_quantities_of_one_value_are_equal_however_they_are_written(left: str, right: str) -> None:
    assert value_of(left) == value_of(right)


def test_the_canonical_form_is_its_own_canonical_form() -> None:
    for text in ("1500m", "0.5Gi", "1e3", "12e6", "1.5Ki", "1000k", "100m", "-0.5"):
        assert canonical(canonical(text)) == canonical(text)
        assert value_of(canonical(text)) == value_of(text)
