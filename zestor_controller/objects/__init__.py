"""What a Kubernetes object is: metadata, kinds, custom resources, conditions, selectors, patches."""

from zestor_controller.objects.conditions import (
    Condition,
    Conditions,
    ListMap,
    get_condition,
    is_true,
    set_condition,
)
from zestor_controller.objects.configuration import changed_fields, changed_status, note_applied, set_fields
from zestor_controller.objects.duration import Duration
from zestor_controller.objects.kind import Column, GroupVersionKind, Kind, Presentation, Scale
from zestor_controller.objects.kindref import HasMetadata, KindRef, KindT, ObjectT
from zestor_controller.objects.meta import MetadataView, NamespacedName, ObjectMeta, OwnerReference, WireModel
from zestor_controller.objects.namespaces import checked_namespaces
from zestor_controller.objects.ownership import controller_reference, is_controlled_by
from zestor_controller.objects.patches import ApplyPatch, JsonPatch, MergePatch, Patch, StrategicPatch
from zestor_controller.objects.registry import KindRegistry, declare, kind_of, kind_of_object, register
from zestor_controller.objects.resource import CustomResource, Spec, Status
from zestor_controller.objects.selectors import LabelSelector, Requirement
from zestor_controller.objects.unstructured import Unstructured, unstructured_kind

__all__ = [
    "ApplyPatch",
    "Column",
    "Condition",
    "Conditions",
    "CustomResource",
    "Duration",
    "GroupVersionKind",
    "HasMetadata",
    "JsonPatch",
    "Kind",
    "KindRef",
    "KindRegistry",
    "KindT",
    "LabelSelector",
    "ListMap",
    "MergePatch",
    "MetadataView",
    "NamespacedName",
    "ObjectMeta",
    "ObjectT",
    "OwnerReference",
    "Patch",
    "Presentation",
    "Requirement",
    "Scale",
    "Spec",
    "Status",
    "StrategicPatch",
    "Unstructured",
    "WireModel",
    "changed_fields",
    "changed_status",
    "checked_namespaces",
    "controller_reference",
    "declare",
    "get_condition",
    "is_controlled_by",
    "is_true",
    "kind_of",
    "kind_of_object",
    "note_applied",
    "register",
    "set_condition",
    "set_fields",
    "unstructured_kind",
]
