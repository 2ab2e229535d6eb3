"""IP addresses and blocks, with StrictIPCIDRValidation as in 1.36."""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.apiserver.builtin.address import address_family, check_cidr, check_endpoint_ip, check_ip

POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.mark.parametrize("text", ["10.9.8.7", "::", "2001:db8::ffff", "FE80:0:0:0:0:0:0:0abc", "::1.2.3.4"])
def test_addresses_of_both_families_are_taken(text: str) -> None:
    assert check_ip("f", text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("10.9.8", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("10.9.8.256", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("fe80::1%eth0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("010.9.8.7", "must not have leading 0s"),
        ("::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address"),
    ],
)
def test_what_programs_read_differently_is_no_address(text: str, why: str) -> None:
    assert [error.detail for error in check_ip("f", text)] == [why]


def test_a_new_field_wants_gos_spelling() -> None:
    (error,) = check_ip("f", "2001:DB8::1", canonical=True)
    assert error.detail == 'must be in canonical form ("2001:db8::1")'


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/64"])
def test_a_block_is_an_address_and_a_prefix(text: str) -> None:
    assert check_cidr("f", text) == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("10.0.0.0", "valid CIDR"), ("10.0.0.0/33", "valid CIDR"), ("10.0.0.0/-1", "valid CIDR"), ("/8", "valid CIDR"),
        ("10.0.0.0/" + "9" * 5000, "valid CIDR"), ("10.0.0.1/8", "bits set"), ("010.0.0.0/8", "leading 0s"),
        ("10.0.0.0/08", "leading 0s"), ("::ffff:1.2.3.0/120", "IPv4-mapped"),
    ],
)  # fmt: skip
def test_what_is_no_block_is_refused(text: str, part: str) -> None:
    (error,) = check_cidr("f", text)
    assert part in error.detail


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "127.9.9.9", "169.254.1.1", "224.0.0.1", "::", "::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1"]
)
def test_addresses_of_the_machine_itself_take_no_traffic(text: str) -> None:
    assert len(check_endpoint_ip("f", text)) == 1


def test_families_are_told_apart() -> None:
    assert [address_family(text) for text in ("1.2.3.4", "::ffff:1.2.3.4", "::1", "x")] == ["IPv4", "IPv4", "IPv6", ""]


async def test_exceptions_of_a_block_lie_within_it(talk: Any) -> None:
    async def cidrs(cidr: str, *exceptions: str) -> list[str]:
        block = {"cidr": cidr, "except": list(exceptions)}
        spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]}
        status, told = await talk.ask("POST", f"{POLICIES}?dryRun=All", {"metadata": {"name": "p"}, "spec": spec})
        return (
            [] if status == 201 else [cause["field"].rpartition("ipBlock.")[2] for cause in told["details"]["causes"]]
        )

    assert await cidrs("10.0.0.0/8", "10.1.0.0/16") == []
    assert await cidrs("10.0.0.0/8", "11.0.0.0/16", "10.0.0.0/8", "2001:db8::/64", "x") == [
        f"except[{index}]" for index in range(4)
    ]
    assert await cidrs("10.0.0.1/8") == ["cidr"]


@pytest.mark.parametrize(
    ("kind", "address", "fine"),
    [
        ("IPv4", "10.1.2.3", True), ("IPv4", "2001:db8::1", False), ("IPv6", "2001:db8::1", True),
        ("IPv6", "2001:DB8::1", False), ("IPv6", "10.1.2.3", False), ("FQDN", "a.example.", True), ("FQDN", "a", False),
    ],
)  # fmt: skip
async def test_a_slice_holds_addresses_of_its_type(talk: Any, kind: str, address: str, fine: bool) -> None:
    body = {"metadata": {"name": "s"}, "addressType": kind, "endpoints": [{"addresses": [address]}], "ports": []}
    status, _ = await talk.ask("POST", SLICES, body)
    assert status == (201 if fine else 422)
