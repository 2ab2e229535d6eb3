"""Names and metadata: typed, live, and lossless."""

from __future__ import annotations

import pytest

from zestor_controller.objects import NamespacedName, ObjectMeta, OwnerReference, Unstructured


@pytest.mark.parametrize(("text", "namespace", "name"), [("a/b", "a", "b"), ("b", "", "b")])
def test_a_namespaced_name_reads_back_what_it_prints(text: str, namespace: str, name: str) -> None:
    parsed = NamespacedName.parse(text)

    assert parsed == (namespace, name)
    assert str(parsed) == text


def test_metadata_keeps_fields_that_it_does_not_know() -> None:
    wire = {"name": "a", "resourceVersion": "7", "selfLink": "/x", "brandNew": {"deep": [1]}}

    meta = ObjectMeta.model_validate(wire)

    assert meta.resource_version == "7"
    assert meta.model_dump(by_alias=True, exclude_none=True) == wire


def test_the_metadata_of_an_unstructured_object_is_a_live_view() -> None:
    obj = Unstructured({"metadata": {"name": "a", "labels": {"x": "1"}}})

    obj.metadata.resource_version = "8"
    obj.metadata.labels = None
    obj["metadata"]["namespace"] = "there"

    assert obj.to_dict() == {"metadata": {"name": "a", "resourceVersion": "8", "namespace": "there"}}
    assert obj.metadata.namespace == "there"


def test_reading_absent_metadata_gives_none_and_adds_nothing_but_the_section() -> None:
    obj = Unstructured()

    assert obj.metadata.name == ""
    assert obj.metadata.uid is None
    assert obj.metadata.owner_references is None
    assert obj.to_dict() == {"metadata": {}}


def test_a_misspelt_metadata_field_is_refused() -> None:
    meta = Unstructured().metadata

    with pytest.raises(AttributeError, match="resourceVersion"):
        meta.resourceVersion  # noqa: B018
    with pytest.raises(AttributeError, match="nmae"):
        meta.nmae = "x"


def test_owner_references_of_a_view_are_typed_and_assignable() -> None:
    obj = Unstructured()

    obj.metadata.owner_references = [OwnerReference(api_version="v1", kind="Pod", name="p", uid="u", controller=True)]

    wire = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
    assert obj["metadata"]["ownerReferences"] == [wire]
    assert obj.metadata.owner_references is not None
    assert obj.metadata.owner_references[0].uid == "u"


def test_a_copy_of_an_unstructured_object_shares_nothing() -> None:
    obj = Unstructured({"spec": {"ports": [1]}})

    obj.copy()["spec"]["ports"].append(2)

    assert obj == {"spec": {"ports": [1]}}
