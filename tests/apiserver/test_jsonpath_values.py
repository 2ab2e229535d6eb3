"""Paths of printer columns: each expectation is what the API server's own evaluator found."""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.apiserver.encoding.jsonpath import PathError, compile_path, print_value

OBJECT: dict[str, Any] = {
    "spec": {
        "a": "x",
        "n": 3,
        "f": 1.5,
        "b": True,
        "z": None,
        "l": [1, 2, 3, 4],
        "m": {"k1": "v1"},
        "containers": [{"name": "a", "ports": [{"p": 1}, {"p": 2}], "on": True}, {"name": "b", "image": "i"}],
        "a.b": "dotted",
        "it's": "q",
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "expected", "printed"),
    [
        ("{.spec.a}", ["x"], "x"),
        ("{.spec.n}", [3], "3"),
        ("{.spec.f}", [1.5], "1.5"),
        ("{.spec.b}", [True], "true"),
        ("{.spec.missing}", [], ""),
        ("{.spec.missing.deeper}", [], ""),
        ("{.spec.l}", [[1, 2, 3, 4]], "[1,2,3,4]"),
        ("{.spec.l[0]}", [1], "1"),
        ("{.spec.l[-1]}", [4], "4"),
        ("{.spec.l[1:3]}", [2, 3], "2 3"),
        ("{.spec.l[:2]}", [1, 2], "1 2"),
        ("{.spec.l[2:]}", [3, 4], "3 4"),
        ("{.spec.l[-2:]}", [3, 4], "3 4"),
        ("{.spec.l[::2]}", [1, 3], "1 3"),
        ("{.spec.l[0,2]}", [1, 3], "1 3"),
        ("{.spec.l[*]}", [1, 2, 3, 4], "1 2 3 4"),
        ("{.spec.l[0:0]}", [], ""),
        ("{.spec.m}", [{"k1": "v1"}], '{"k1":"v1"}'),
        ("{.spec.m.*}", ["v1"], "v1"),
        ("{.spec['a']}", ["x"], "x"),
        ("{.spec['a.b']}", [], ""),
        ("{.spec['a','n']}", ["x", 3], "x 3"),
        ("{.spec.a\\.b}", ["dotted"], "dotted"),
        ("{.spec.containers[*].name}", ["a", "b"], "a b"),
        ("{.spec.containers[*].image}", ["i"], "i"),
        ("{.spec.containers[0].ports[*].p}", [1, 2], "1 2"),
        ("{..name}", ["a", "b"], "a b"),
        ("{..p}", [1, 2], "1 2"),
        ("{.spec..p}", [1, 2], "1 2"),
        ('{.status.conditions[?(@.type=="Ready")].status}', ["True"], "True"),
        ("{.status.conditions[?(@.type=='Old')].status}", ["False"], "False"),
        ('{.status.conditions[?(@.status!="True")].type}', ["Old"], "Old"),
        ("{.spec.containers[?(@.image)].name}", ["b"], "b"),
        ("{.spec.containers[?(@.on==true)].name}", ["a"], "a"),
        ("{.spec.l[?(@>2)]}", [3, 4], "3 4"),
        ("{.spec.l[?(@<=2)]}", [1, 2], "1 2"),
        ("{.spec.containers[?(@.ports[0].p>0)].name}", ["a"], "a"),
        ('{.spec.containers[?(@.name=="a")].ports[?(@.p>1)].p}', [2], "2"),
        ("{.spec.a.b}", [], ""),
        ("{.spec.l.x}", [], ""),
        ("{$.spec.a}", ["x"], "x"),
        ("{@.spec.a}", ["x"], "x"),
        ("{.}", [], ""),
        (
            "{}",
            [
                {
                    "spec": {
                        "a": "x",
                        "a.b": "dotted",
                        "b": True,
                        "containers": [
                            {"name": "a", "on": True, "ports": [{"p": 1}, {"p": 2}]},
                            {"image": "i", "name": "b"},
                        ],
                        "f": 1.5,
                        "it's": "q",
                        "l": [1, 2, 3, 4],
                        "m": {"k1": "v1"},
                        "n": 3,
                        "z": None,
                    },
                    "status": {
                        "conditions": [{"status": "True", "type": "Ready"}, {"status": "False", "type": "Old"}],
                    },
                },
            ],
            (
                '{"spec":{"a":"x","a.b":"dotted","b":true,"containers":[{"name":"a","on":true,"'
                'ports":[{"p":1},{"p":2}]},{"image":"i","name":"b"}],"f":1.5,"it\'s":"q","l":[1,'
                '2,3,4],"m":{"k1":"v1"},"n":3,"z":null},"status":{"conditions":[{"status":"True'
                '","type":"Ready"},{"status":"False","type":"Old"}]}}'
            ),
        ),
        ("{...a}", ["x"], "x"),
        ("{'text'}", ["text"], "text"),
    ],
)
def test_a_path_finds_what_the_api_server_finds(path: str, expected: list[Any], printed: str) -> None:
    found = compile_path(path)(OBJECT)
    assert found == expected
    assert " ".join(map(print_value, found)) == printed


@pytest.mark.parametrize(
    "path",
    [
        "{.spec.l[9]}",
        "{.spec.l[-9]}",
        "{.spec.l[1:9]}",
        "{.spec.l[3:1]}",
        "{.spec.l[::-1]}",
        "{.status.conditions[?(@.type==Ready)].status}",
        "{.spec.n[0]}",
        "{spec.a}",
        "{.spec.",
        "{.spec[}",
        "{.spec.l[}",
        "{.spec.l[a]}",
        "{.spec.l[1:2:3:4]}",
        "{.spec.l[?(@.x==)]}",
        "{.spec.l[?(@.x]}",
        "{.spec.l[::0]}",
    ],
)
def test_a_path_that_cannot_be_read_or_followed_is_an_error(path: str) -> None:
    with pytest.raises(PathError):
        compile_path(path)(OBJECT)


def test_a_null_is_found() -> None:
    assert compile_path("{.spec.z}")(OBJECT) == [None]


def test_a_wildcard_finds_every_value_of_an_object() -> None:
    found = compile_path("{.spec.*}")(OBJECT)
    assert len(found) == len(OBJECT["spec"])
    assert all(value in found for value in OBJECT["spec"].values())
