"""The rules of names: each expectation is what the API machinery's own code returned."""

from __future__ import annotations

import pytest

from zestor_controller.apiserver.validation.fieldchecks import (
    bad_config_key,
    bad_env_name,
    bad_label_value,
    bad_name_label,
    bad_port_name,
    bad_qualified_name,
    bad_subdomain,
)
from zestor_controller.schema.nameformat import dns1035_label

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_KEY = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
    "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with "
    "an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
    "'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
    "'[-._a-zA-Z0-9]+')"
)
ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"

VALID_LABEL = ["a", "a-b", "1", "1a", "a" * 63, "http", "1-2", "a--b", "80", "a" * 16, "a1-" + "b" * 12, "a" * 15]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_LABEL),
        ("", [LABEL]),
        ("A", [LABEL]),
        ("-a", [LABEL]),
        ("a-", [LABEL]),
        ("a.b", ["must not contain dots"]),
        ("a..b", [LABEL]),
        (".a", [LABEL]),
        ("a.", [LABEL]),
        ("a_b", [LABEL]),
        ("a" * 64, ["must be no more than 63 characters"]),
        ("a" * 254, ["must be no more than 63 characters"]),
        ("a b", [LABEL]),
        ("a/b", [LABEL]),
        ("a/", [LABEL]),
        ("/a", [LABEL]),
        ("a/b/c", [LABEL]),
        ("A.b/c", [LABEL]),
        ("x.y/Z_1", [LABEL]),
        ("\u00e9", [LABEL]),
        ("a\n", [LABEL]),
        ("--", [LABEL]),
        ("..", [LABEL]),
        ("...", [LABEL]),
        ("a:b", [LABEL]),
        ("FOO_BAR", [LABEL]),
        ("1FOO", [LABEL]),
        ("a=b", [LABEL]),
        ("*", [LABEL]),
        ("-", [LABEL]),
        ("_", [LABEL]),
    ],
)
def test_a_label_name_has_letters_digits_and_hyphens(text: str, expected: list[str]) -> None:
    assert bad_name_label(text) == expected


VALID_SUBDOMAIN = [
    "a",
    "a-b",
    "a.b",
    "1",
    "1a",
    "a" * 63,
    "a" * 64,
    "a" * 253,
    "http",
    "1-2",
    "a--b",
    "80",
    "a" * 16,
    "a1-" + "b" * 12,
    "a" * 15,
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_SUBDOMAIN),
        ("", [SUBDOMAIN]),
        ("A", [SUBDOMAIN]),
        ("-a", [SUBDOMAIN]),
        ("a-", [SUBDOMAIN]),
        ("a..b", [SUBDOMAIN]),
        (".a", [SUBDOMAIN]),
        ("a.", [SUBDOMAIN]),
        ("a_b", [SUBDOMAIN]),
        ("a" * 254, ["must be no more than 253 characters"]),
        ("a b", [SUBDOMAIN]),
        ("a/b", [SUBDOMAIN]),
        ("a/", [SUBDOMAIN]),
        ("/a", [SUBDOMAIN]),
        ("a/b/c", [SUBDOMAIN]),
        ("A.b/c", [SUBDOMAIN]),
        ("x.y/Z_1", [SUBDOMAIN]),
        ("\u00e9", [SUBDOMAIN]),
        ("a\n", [SUBDOMAIN]),
        ("--", [SUBDOMAIN]),
        ("..", [SUBDOMAIN]),
        ("...", [SUBDOMAIN]),
        ("a:b", [SUBDOMAIN]),
        ("FOO_BAR", [SUBDOMAIN]),
        ("1FOO", [SUBDOMAIN]),
        ("a=b", [SUBDOMAIN]),
        ("*", [SUBDOMAIN]),
        ("-", [SUBDOMAIN]),
        ("_", [SUBDOMAIN]),
    ],
)
def test_a_subdomain_is_labels_joined_by_dots(text: str, expected: list[str]) -> None:
    assert bad_subdomain(text) == expected


VALID_QUALIFIED = [
    "a",
    "A",
    "a-b",
    "a.b",
    "a..b",
    "a_b",
    "1",
    "1a",
    "a" * 63,
    "a/b",
    "x.y/Z_1",
    "http",
    "1-2",
    "a--b",
    "80",
    "a" * 16,
    "a1-" + "b" * 12,
    "FOO_BAR",
    "1FOO",
    "a" * 15,
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_QUALIFIED),
        ("", ["name part must be non-empty", NAME_PART]),
        ("-a", [NAME_PART]),
        ("a-", [NAME_PART]),
        (".a", [NAME_PART]),
        ("a.", [NAME_PART]),
        ("a" * 64, ["name part must be no more than 63 bytes"]),
        ("a" * 254, ["name part must be no more than 63 bytes"]),
        ("a b", [NAME_PART]),
        ("a/", ["name part must be non-empty", NAME_PART]),
        ("/a", ["prefix part must be non-empty"]),
        ("a/b/c", [LABEL_KEY]),
        ("A.b/c", [f"prefix part {SUBDOMAIN}"]),
        ("\u00e9", [NAME_PART]),
        ("a\n", [NAME_PART]),
        ("--", [NAME_PART]),
        ("..", [NAME_PART]),
        ("...", [NAME_PART]),
        ("a:b", [NAME_PART]),
        ("a=b", [NAME_PART]),
        ("*", [NAME_PART]),
        ("-", [NAME_PART]),
        ("_", [NAME_PART]),
    ],
)
def test_a_qualified_name_has_a_name_and_perhaps_a_domain(text: str, expected: list[str]) -> None:
    assert bad_qualified_name(text) == expected


VALID_LABELVALUE = [
    "",
    "a",
    "A",
    "a-b",
    "a.b",
    "a..b",
    "a_b",
    "1",
    "1a",
    "a" * 63,
    "http",
    "1-2",
    "a--b",
    "80",
    "a" * 16,
    "a1-" + "b" * 12,
    "FOO_BAR",
    "1FOO",
    "a" * 15,
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_LABELVALUE),
        ("-a", [LABEL_VALUE]),
        ("a-", [LABEL_VALUE]),
        (".a", [LABEL_VALUE]),
        ("a.", [LABEL_VALUE]),
        ("a" * 64, ["must be no more than 63 bytes"]),
        ("a" * 254, ["must be no more than 63 bytes"]),
        ("a b", [LABEL_VALUE]),
        ("a/b", [LABEL_VALUE]),
        ("a/", [LABEL_VALUE]),
        ("/a", [LABEL_VALUE]),
        ("a/b/c", [LABEL_VALUE]),
        ("A.b/c", [LABEL_VALUE]),
        ("x.y/Z_1", [LABEL_VALUE]),
        ("\u00e9", [LABEL_VALUE]),
        ("a\n", [LABEL_VALUE]),
        ("--", [LABEL_VALUE]),
        ("..", [LABEL_VALUE]),
        ("...", [LABEL_VALUE]),
        ("a:b", [LABEL_VALUE]),
        ("a=b", [LABEL_VALUE]),
        ("*", [LABEL_VALUE]),
        ("-", [LABEL_VALUE]),
        ("_", [LABEL_VALUE]),
    ],
)
def test_the_value_of_a_label_is_empty_or_a_name(text: str, expected: list[str]) -> None:
    assert bad_label_value(text) == expected


VALID_PORTNAME = ["a", "a-b", "1a", "http", "a1-" + "b" * 12, "a" * 15]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_PORTNAME),
        (
            "",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        (
            "A",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        ("-a", ["must not begin or end with a hyphen"]),
        ("a-", ["must not begin or end with a hyphen"]),
        ("a.b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("a..b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        (".a", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("a.", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("a_b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("1", ["must contain at least one letter (a-z)"]),
        ("a" * 64, ["must be no more than 15 characters"]),
        ("a" * 254, ["must be no more than 15 characters"]),
        ("a b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("a/b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("a/", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("/a", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("a/b/c", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("A.b/c", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("x.y/Z_1", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        (
            "\u00e9",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        ("a\n", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("1-2", ["must contain at least one letter (a-z)"]),
        (
            "--",
            [
                "must contain at least one letter (a-z)",
                "must not contain consecutive hyphens",
                "must not begin or end with a hyphen",
            ],
        ),
        ("a--b", ["must not contain consecutive hyphens"]),
        ("80", ["must contain at least one letter (a-z)"]),
        ("a" * 16, ["must be no more than 15 characters"]),
        (
            "..",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        (
            "...",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        ("a:b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        (
            "FOO_BAR",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        (
            "1FOO",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        ("a=b", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        (
            "*",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        ("-", ["must contain at least one letter (a-z)", "must not begin or end with a hyphen"]),
        (
            "_",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
    ],
)
def test_the_name_of_a_port_has_fifteen_signs_and_a_letter(text: str, expected: list[str]) -> None:
    assert bad_port_name(text) == expected


VALID_CONFIGKEY = [
    "a",
    "A",
    "a-b",
    "-a",
    "a-",
    "a.b",
    "a..b",
    ".a",
    "a.",
    "a_b",
    "1",
    "1a",
    "a" * 63,
    "a" * 64,
    "a" * 253,
    "http",
    "1-2",
    "--",
    "a--b",
    "80",
    "a" * 16,
    "a1-" + "b" * 12,
    "FOO_BAR",
    "1FOO",
    "-",
    "_",
    "a" * 15,
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_CONFIGKEY),
        ("", [CONFIG_KEY]),
        ("a" * 254, ["must be no more than 253 characters"]),
        ("a b", [CONFIG_KEY]),
        ("a/b", [CONFIG_KEY]),
        ("a/", [CONFIG_KEY]),
        ("/a", [CONFIG_KEY]),
        ("a/b/c", [CONFIG_KEY]),
        ("A.b/c", [CONFIG_KEY]),
        ("x.y/Z_1", [CONFIG_KEY]),
        ("\u00e9", [CONFIG_KEY]),
        ("a\n", [CONFIG_KEY]),
        ("..", ["must not be '..'"]),
        ("...", ["must not start with '..'"]),
        ("a:b", [CONFIG_KEY]),
        ("a=b", [CONFIG_KEY]),
        ("*", [CONFIG_KEY]),
    ],
)
def test_a_key_of_a_config_map_could_be_a_file_name(text: str, expected: list[str]) -> None:
    assert bad_config_key(text) == expected


VALID_RELAXEDENVNAME = [
    "a",
    "A",
    "a-b",
    "-a",
    "a-",
    "a.b",
    "a..b",
    ".a",
    "a.",
    "a_b",
    "1",
    "1a",
    "a" * 63,
    "a" * 64,
    "a" * 253,
    "a" * 254,
    "a b",
    "a/b",
    "a/",
    "/a",
    "a/b/c",
    "A.b/c",
    "x.y/Z_1",
    "http",
    "1-2",
    "--",
    "a--b",
    "80",
    "a" * 16,
    "a1-" + "b" * 12,
    "..",
    "...",
    "a:b",
    "FOO_BAR",
    "1FOO",
    "*",
    "-",
    "_",
    "a" * 15,
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_RELAXEDENVNAME),
        ("", ["environment variable name must be non-empty"]),
        ("\u00e9", [ENV_NAME]),
        ("a\n", [ENV_NAME]),
        ("a=b", [ENV_NAME]),
    ],
)
def test_an_environment_variable_has_printable_signs_but_the_equals_sign(text: str, expected: list[str]) -> None:
    assert bad_env_name(text) == expected


VALID_LABEL1035 = ["a", "a-b", "a" * 63, "http", "a--b", "a" * 16, "a1-" + "b" * 12, "a" * 15]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, []) for text in VALID_LABEL1035),
        ("", [LABEL_1035]),
        ("A", [LABEL_1035]),
        ("-a", [LABEL_1035]),
        ("a-", [LABEL_1035]),
        ("a.b", [LABEL_1035]),
        ("a..b", [LABEL_1035]),
        (".a", [LABEL_1035]),
        ("a.", [LABEL_1035]),
        ("a_b", [LABEL_1035]),
        ("1", [LABEL_1035]),
        ("1a", [LABEL_1035]),
        ("a" * 64, ["must be no more than 63 characters"]),
        ("a" * 254, ["must be no more than 63 characters"]),
        ("a b", [LABEL_1035]),
        ("a/b", [LABEL_1035]),
        ("a/", [LABEL_1035]),
        ("/a", [LABEL_1035]),
        ("a/b/c", [LABEL_1035]),
        ("A.b/c", [LABEL_1035]),
        ("x.y/Z_1", [LABEL_1035]),
        ("\u00e9", [LABEL_1035]),
        ("a\n", [LABEL_1035]),
        ("1-2", [LABEL_1035]),
        ("--", [LABEL_1035]),
        ("80", [LABEL_1035]),
        ("..", [LABEL_1035]),
        ("...", [LABEL_1035]),
        ("a:b", [LABEL_1035]),
        ("FOO_BAR", [LABEL_1035]),
        ("1FOO", [LABEL_1035]),
        ("a=b", [LABEL_1035]),
        ("*", [LABEL_1035]),
        ("-", [LABEL_1035]),
        ("_", [LABEL_1035]),
    ],
)
def test_a_service_name_begins_with_a_letter(text: str, expected: list[str]) -> None:
    assert dns1035_label(text) == expected
