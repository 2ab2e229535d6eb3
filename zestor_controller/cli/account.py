"""The service account of an operator on an embedded cluster, with exactly the rights that its code declares.

Invariant: the operator's process finds no other credential than this account's; the administrator's stays with the
command itself and with the user's kubectl.
"""

from __future__ import annotations

import csv
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from zestor_controller.apiserver.server.kubeconfig import write_kubeconfig
from zestor_controller.chart import chart_name
from zestor_controller.client import Client
from zestor_controller.manager import Manager, Rule, rules_for
from zestor_controller.manager.rights import LEASES

__all__ = ["OperatorAccount", "operator_account"]

NAME: Final = "zestor-dev-operator"
NAMESPACE: Final = "default"
RBAC: Final = "rbac.authorization.k8s.io/v1"
GROUPS: Final = ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}")


@dataclass(frozen=True, slots=True)
class OperatorAccount:
    """An account of an embedded server.

    Attributes:
        token_file: gives the account's token to the server.
        kubeconfig: the account's, once :meth:`write_kubeconfig` has written it.
        user: the account's user name.
    """

    token_file: Path
    kubeconfig: Path
    token: str
    user: str = f"system:serviceaccount:{NAMESPACE}:{NAME}"

    def write_kubeconfig(self, administrator: Path) -> None:
        """Write the account's kubeconfig: the administrator's with another credential."""
        config = yaml.safe_load(administrator.read_text())
        for user in config["users"]:
            user["user"] = {"token": self.token}
        write_kubeconfig(self.kubeconfig, config)

    async def grant(self, client: Client, manager: Manager) -> None:
        """Let the account do what `zestor rbac generate` prints for the manager, and nothing else.

        Args:
            client: an administrator's.
            manager: the operator's; its lease is in the namespace that it names, or else in the account's.
        """
        name = chart_name(manager)
        election = manager.leader_election
        where = (election.namespace if election is not None else None) or NAMESPACE
        rules = rules_for(manager.controllers)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}
        objects = [
            account,
            *_granted("ClusterRole", name, (*rules.namespaced, *rules.cluster)),
            *_granted("Role", f"{name}-leader-election", (LEASES,), where),
        ]
        for body in objects:
            await client.apply(f"{body['apiVersion']}/{body['kind']}", body, field_manager="zestor-dev", force=True)


@contextmanager
def operator_account() -> Iterator[OperatorAccount]:
    """An account with a token of its own; its files are private and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="zestor-") as folder:  # made with mode 0700
        token = secrets.token_urlsafe(32)
        account = OperatorAccount(Path(folder) / "tokens", Path(folder) / "kubeconfig", token)
        with account.token_file.open("w", newline="") as file:
            csv.writer(file).writerow([token, account.user, "", ",".join(GROUPS)])
        yield account


def _granted(kind: str, name: str, rules: tuple[Rule, ...], namespace: str | None = None) -> list[dict[str, Any]]:
    """A role and its binding to the account."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return [
        {"apiVersion": RBAC, "kind": kind, "metadata": metadata, "rules": [rule.document() for rule in rules]},
        {
            "apiVersion": RBAC,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
        },
    ]
