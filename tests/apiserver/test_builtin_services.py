"""Services: who gets which address and port, and what happens when the type changes."""

from __future__ import annotations

import copy
import random
import time
from typing import Any

import pytest

from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin import resources
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

SERVICES = ("", "services")


class Services:
    """The Service strategy over a storage."""

    def __init__(self, storage: Storage | None = None) -> None:
        self.storage = storage or Storage()
        stored = resources(self.storage, TokenIssuer(self.storage, time.time), random.Random(1))
        self.strategy = next(each.strategy for each in stored if each.plural == "services")

    def stored(self, name: str) -> Json:
        version = self.storage.table(SERVICES).get("n", name)
        assert version is not None
        return version.copy()

    def writing(self, dry_run: bool = False) -> WriteContext:
        return WriteContext(User("u"), dry_run, "2020-01-01T00:00:00Z")

    def create(self, name: str, dry_run: bool = False, **spec: Any) -> Json:
        body = {"metadata": {"name": name, "namespace": "n"}, "spec": {"ports": [{"port": 80}], **spec}}
        obj, _ = self.strategy.decode(body, "Strict", ())
        self.strategy.default(obj)
        now = self.writing(dry_run)
        self.strategy.prepare_for_create(now, obj)
        assert self.strategy.validate_create(now, obj) == []
        if not dry_run:
            self.storage.write(SERVICES, "n", name, obj)
        return obj

    def update(self, name: str, **spec: Any) -> tuple[Json, list[str], list[str]]:
        old = self.stored(name)
        new, _ = self.strategy.decode(copy.deepcopy({**old, "spec": {**old["spec"], **spec}}), "Strict", ())
        self.strategy.default(new)
        now = self.writing()
        self.strategy.prepare_for_update(now, new, old)
        errors = [error.message() for error in self.strategy.validate_update(now, new, old)]
        if not errors:
            self.storage.write(SERVICES, "n", name, new)
        return new, errors, now.warnings


@pytest.fixture
def services() -> Services:
    return Services()


def test_every_service_gets_an_address_of_its_own(services: Services) -> None:
    addresses = [services.create(f"s{index}")["spec"]["clusterIP"] for index in range(20)]
    assert len(set(addresses)) == 20
    assert all(address.startswith("10.0.0.") for address in addresses)
    assert services.stored("s0")["spec"]["clusterIPs"] == [addresses[0]]


def test_a_deleted_service_gives_its_address_back(services: Services) -> None:
    first = services.create("a")["spec"]["clusterIP"]
    with pytest.raises(Failure, match="provided IP is already allocated"):
        services.create("b", clusterIP=first)
    services.storage.delete(SERVICES, "n", "a")
    assert services.create("b", clusterIP=first)["spec"]["clusterIP"] == first


def test_what_stored_services_hold_is_held_after_a_restart() -> None:
    before = Services()
    held = before.create("a", type="NodePort")["spec"]
    after = Services(before.storage)
    other = after.create("b", type="NodePort")["spec"]
    assert other["clusterIP"] != held["clusterIP"]
    assert other["ports"][0]["nodePort"] != held["ports"][0]["nodePort"]


def test_a_dry_run_takes_nothing(services: Services) -> None:
    tried = services.create("a", dry_run=True)["spec"]["clusterIP"]
    assert services.create("b", clusterIP=tried)["spec"]["clusterIP"] == tried


def test_an_address_outside_the_range_is_refused(services: Services) -> None:
    with pytest.raises(Failure) as caught:
        services.create("a", clusterIP="192.0.2.1")
    assert caught.value.body["message"] == (
        'Service "a" is invalid: spec.clusterIPs: Invalid value: ["192.0.2.1"]: failed to allocate IP 192.0.2.1: '
        "the provided network does not match the current range"
    )


def test_headless_services_have_no_address(services: Services) -> None:
    assert services.create("a", clusterIP="None")["spec"]["clusterIPs"] == ["None"]
    assert services.create("b", clusterIP="None")["spec"]["clusterIP"] == "None"


def test_an_address_stays(services: Services) -> None:
    services.create("a")
    assert services.update("a", clusterIP="None")[1] == [
        'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'
    ]


def test_node_ports_are_kept_and_unique(services: Services) -> None:
    first = services.create("a", type="NodePort")["spec"]["ports"][0]["nodePort"]
    second = services.create("b", type="NodePort")["spec"]["ports"][0]["nodePort"]
    assert first != second
    assert services.update("a", ports=[{"port": 80}])[0]["spec"]["ports"][0]["nodePort"] == first
    with pytest.raises(Failure, match="provided port is already allocated"):
        services.create("c", type="NodePort", ports=[{"port": 80, "nodePort": first}])
    with pytest.raises(Failure, match="not in the valid range"):
        services.create("c", type="NodePort", ports=[{"port": 80, "nodePort": 80}])


def test_an_external_name_gives_up_the_address_and_takes_one_again_later(services: Services) -> None:
    services.create("a")
    named, errors, _ = services.update("a", type="ExternalName", externalName="q.example.com")
    assert errors == []
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "internalTrafficPolicy"} & set(named["spec"])
    again, errors, warnings = services.update("a", type="NodePort")
    assert errors == []
    assert again["spec"]["clusterIP"].startswith("10.0.0.")
    assert warnings == ['spec.externalName is ignored when spec.type is not "ExternalName"']


def test_a_local_load_balancer_has_a_port_for_health_checks(services: Services) -> None:
    spec = services.create("a", type="LoadBalancer", externalTrafficPolicy="Local")["spec"]
    assert spec["healthCheckNodePort"] not in (0, spec["ports"][0]["nodePort"])
    assert spec["allocateLoadBalancerNodePorts"] is True
    plain = services.update("a", type="ClusterIP")[0]["spec"]
    assert not {"healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"} & set(plain)
    assert "nodePort" not in plain["ports"][0]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        (
            {"type": "Odd"},
            'spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
            '"NodePort"',
        ),
    ],
)
def test_bad_services_are_refused(services: Services, spec: Json, error: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}], **spec}}
    obj, _ = services.strategy.decode(body, "Strict", ())
    services.strategy.default(obj)
    now = services.writing()
    services.strategy.prepare_for_create(now, obj)
    assert error in [each.message() for each in services.strategy.validate_create(now, obj)]
