"""What a Kubernetes object is: metadata, kinds, custom resources, conditions, selectors, patches."""

from zestor_controller.objects.conditions import (
    Condition,
    Conditions,
    ListMap,
    get_condition,
    is_true,
    set_condition,
)
from zestor_controller.objects.configuration import changed_fields as changed_fields
from zestor_controller.objects.configuration import changed_status as changed_status
from zestor_controller.objects.configuration import note_applied as note_applied
from zestor_controller.objects.configuration import set_fields as set_fields
from zestor_controller.objects.duration import Duration
from zestor_controller.objects.jsonvalue import JsonObject, JsonValue
from zestor_controller.objects.kind import Column, GroupVersionKind, Kind, Presentation, Scale
from zestor_controller.objects.kindref import HasMetadata, KindRef, KindT, ObjectT
from zestor_controller.objects.meta import MetadataView, NamespacedName, ObjectMeta, OwnerReference, WireModel
from zestor_controller.objects.namespaces import checked_namespaces as checked_namespaces
from zestor_controller.objects.ownership import controller_reference, is_controlled_by
from zestor_controller.objects.patches import ApplyPatch, JsonPatch, MergePatch, Patch, StrategicPatch
from zestor_controller.objects.registry import KindRegistry, declare, kind_of
from zestor_controller.objects.registry import kind_of_object as kind_of_object
from zestor_controller.objects.registry import register as register
from zestor_controller.objects.resource import CustomResource, ResourceOptions, Spec, Status
from zestor_controller.objects.selectors import LabelSelector, Requirement
from zestor_controller.objects.unstructured import Unstructured
from zestor_controller.objects.unstructured import unstructured_kind as unstructured_kind

# What is imported under its own name (`x as x`) is for this project's packages, and no part of the public API.
__all__ = [
    "ApplyPatch",
    "Column",
    "Condition",
    "Conditions",
    "CustomResource",
    "Duration",
    "GroupVersionKind",
    "HasMetadata",
    "JsonObject",
    "JsonPatch",
    "JsonValue",
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
    "ResourceOptions",
    "Scale",
    "Spec",
    "Status",
    "StrategicPatch",
    "Unstructured",
    "WireModel",
    "controller_reference",
    "declare",
    "get_condition",
    "is_controlled_by",
    "is_true",
    "kind_of",
    "set_condition",
]
