"""The admission chain: the plugins that are on, in kube-apiserver's order, in two phases.

Invariant: the order is that of :data:`ORDER`, whatever the order in which plugins are given. A phase stops at the first
plugin that denies the write, so the order decides which of two failures a client sees.

Source: kubernetes pkg/kubeapiserver/options/plugins.go (AllOrderedPlugins), apiserver pkg/admission/chain.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from zestor_controller.apiserver.admission.attributes import AdmissionAttributes
    from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ORDER", "AdmissionChain"]

ORDER: Final = ("CreateAuthorization", "NamespaceLifecycle", "Priority", "PrivilegeEscalation")
"""First and last are no plugins of kube-apiserver: its write handlers and its RBAC storage check the same there."""


class AdmissionChain:
    """Calls the plugins.

    Args:
        plugins: those that there are.
        disabled: the names of those that are off.

    Raises:
        ValueError: a name is not one of :data:`ORDER`.
    """

    def __init__(self, plugins: Iterable[AdmissionPlugin], disabled: Collection[str] = ()) -> None:
        given = list(plugins)
        unknown = {*disabled, *(plugin.name for plugin in given)}.difference(ORDER)
        if unknown:
            raise ValueError(f"unknown admission plugins: {', '.join(sorted(unknown))}")
        enabled = [plugin for plugin in given if plugin.name not in disabled]
        self._plugins = sorted(enabled, key=lambda plugin: ORDER.index(plugin.name))
        self._called: dict[tuple[str, tuple[str, str]], tuple[AdmissionPlugin, ...]] = {}

    def admit(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """The first phase, before the strategy prepares the object: plugins may change it, in place.

        Raises:
            Failure: a plugin denies the write.
        """
        key = (attributes.operation, attributes.resource.storage)
        for plugin in self._called[key] if key in self._called else self._find(key):
            plugin.admit(attributes, obj)

    def validate(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """The second phase, when the object is final and valid.

        Raises:
            Failure: a plugin denies the write.
        """
        key = (attributes.operation, attributes.resource.storage)
        for plugin in self._called[key] if key in self._called else self._find(key):
            plugin.validate(attributes, obj)

    def _find(self, key: tuple[str, tuple[str, str]]) -> tuple[AdmissionPlugin, ...]:
        """The plugins that are called for an operation on a resource."""
        operation, storage = key
        found = self._called[key] = tuple(
            plugin
            for plugin in self._plugins
            if operation in plugin.operations and (plugin.resources is None or storage in plugin.resources)
        )
        return found
