"""Reading manifests: which files, which documents, the place of each, and what is wrong with one."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from zestor_controller.cli.manifests import Manifest, read_manifests
from zestor_controller.errors import ConfigError

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"


def document(name: str) -> str:
    return MAP.replace("NAME", name)


def places(manifests: list[Manifest], folder: Path) -> list[tuple[str, str]]:
    return [(m.where.removeprefix(f"{folder}/"), m.body["metadata"]["name"]) for m in manifests]


def test_a_folder_is_read_with_its_folders_in_the_order_of_the_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.yaml", "a.yml", "b/x.json", "notes.txt", "README.md", "d.yaml.bak"):
        text = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "NAME"}}' if "json" in name else MAP
        (tmp_path / name).write_text(text.replace("NAME", name[0]))

    assert places(read_manifests([str(tmp_path)]), tmp_path) == [
        ("a.yml:1", "a"),
        ("b/x.json:1", "b"),
        ("c.yaml:1", "c"),
    ]


def test_a_folder_called_like_a_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    (tmp_path / "x.yaml" / "y.yaml").write_text(document("y"))

    assert places(read_manifests([str(tmp_path)]), tmp_path) == [("x.yaml/y.yaml:1", "y")]


def test_several_sources_are_read_in_the_order_given(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(document(name))
    found = read_manifests([str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])

    assert [m.body["metadata"]["name"] for m in found] == ["b", "a", "b"]


def test_no_source_has_no_object() -> None:
    assert read_manifests([]) == []


def test_each_document_has_the_line_it_begins_at(tmp_path: Path) -> None:
    text = (
        f"# a comment\n\n{document('a')}---\n---\n# nothing\n---\n\n{document('b')}...\n---\nnull\n---\n{document('c')}"
    )
    (tmp_path / "x.yaml").write_text(text)

    assert places(read_manifests([str(tmp_path)]), tmp_path) == [
        ("x.yaml:3", "a"),
        ("x.yaml:11", "b"),
        ("x.yaml:18", "c"),
    ]


def test_a_list_is_taken_apart_and_its_objects_are_at_its_place(tmp_path: Path) -> None:
    inner = "apiVersion: v1\nkind: SecretList\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: s}}]"
    text = "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- "
    text += inner.replace("\n", "\n  ") + "\n"
    (tmp_path / "x.yaml").write_text(text)

    found = read_manifests([str(tmp_path / "x.yaml")])

    assert places(found, tmp_path) == [("x.yaml:2", "a"), ("x.yaml:2", "s")]
    assert [m.body["kind"] for m in found] == ["ConfigMap", "Secret"]


def test_an_empty_list_is_no_object_and_an_object_with_items_is_one(tmp_path: Path) -> None:
    basket = "apiVersion: x.example/v1\nkind: Basket\nmetadata: {name: b}\nitems: [1]\n"
    text = f"apiVersion: v1\nkind: List\nitems: []\n---\n{basket}"
    (tmp_path / "x.yaml").write_text(text)

    assert [m.body["kind"] for m in read_manifests([str(tmp_path)])] == ["Basket"]


def test_a_generated_name_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n")

    assert read_manifests([str(tmp_path)])[0].body["metadata"] == {"generateName": "a-"}


def test_times_stay_text_and_other_values_have_their_types(tmp_path: Path) -> None:
    text = document("a") + "a: 2026-01-01\nb: 2026-01-01T00:00:00Z\nc: 1\nd: 1.5\ne: true\nf: null\ng: '1'\nh: 0x10\n"
    (tmp_path / "x.yaml").write_text(text)

    body = read_manifests([str(tmp_path)])[0].body

    assert [body[key] for key in "abcdefgh"] == ["2026-01-01", "2026-01-01T00:00:00Z", 1, 1.5, True, None, "1", 16]


def test_reading_leaves_yaml_as_it_is_for_everything_else(tmp_path: Path) -> None:
    import datetime

    import yaml

    (tmp_path / "x.yaml").write_text(document("a"))
    read_manifests([str(tmp_path)])

    assert yaml.safe_load("2026-01-01") == datetime.date(2026, 1, 1)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{document('a')}---\n{document('b')}"))

    found = read_manifests(["-"])

    assert [(m.where, m.body["metadata"]["name"]) for m in found] == [("<stdin>:1", "a"), ("<stdin>:5", "b")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("- a\n- b\n", 1, "an object is expected, not list"),
        ("\n\n12\n", 3, "an object is expected, not int"),
        ("kind: ConfigMap\nmetadata: {name: a}\n", 1, "no apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}\n", 1, "no kind"),
        ("a: 1\n", 1, "no apiVersion and no kind"),
        ("apiVersion: 1\nkind: ConfigMap\nmetadata: {name: a}\n", 1, "no apiVersion"),
        ("apiVersion: v1\nkind: ConfigMap\n", 1, "no metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: text\n", 1, "no metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ''}\n", 1, "no metadata.name"),
        (f"{document('a')}---\napiVersion: v1\nkind: List\nitems: [{{kind: X}}]\n", 5, "no apiVersion"),
        (f"{document('a')}---\na: [1\n", 6, "not valid YAML"),
        ("a: 1\n  b: 2\n", 2, "not valid YAML"),
        ("a: &x 1\nb: *y\n", 2, "not valid YAML"),
        ("a: !!python/object:os.system x\n", 1, "not valid YAML"),
        ("a: b\nc: d\x07\n", 2, "not valid YAML: the character U+0007"),
    ],
)
def test_what_is_wrong_is_named_with_the_file_and_the_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_manifests([str(path)])

    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_a_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file or folder"):
        read_manifests([str(tmp_path / "none.yaml")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: .*no \.yaml, \.yml or \.json file"):
        read_manifests([str(tmp_path / "empty")])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match=r"binary\.yaml: not a text file"):
        read_manifests([str(tmp_path / "binary.yaml")])


def test_a_file_that_fails_in_a_folder_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(document("a"))
    (tmp_path / "b.yaml").write_text("a: [\n")

    with pytest.raises(ConfigError, match=r"b\.yaml:\d+: not valid YAML"):
        read_manifests([str(tmp_path)])
