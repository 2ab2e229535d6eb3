"""The IP families of a Service, on a cluster that has IPv4 only.

Source: pkg/registry/core/service/storage/alloc.go (initIPFamilyFields), pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.address import address_family, check_ip
from zestor_controller.schema.fielderror import FieldError, duplicate, invalid, not_supported

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_families", "check_family_change", "choose_families", "is_headless"]

_FAMILIES = ["IPv4", "IPv6"]
_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"]
_SERVED = "IPv4"
_TWO_NEEDED = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"


def is_headless(spec: Json) -> bool:
    """Whether a Service has no address of its own."""
    return spec.get("clusterIP") == "None" or spec.get("clusterIPs") == ["None"]


def check_families(spec: Json) -> list[FieldError]:
    """The rules of addresses, families and their policy, each for itself and together."""
    if spec.get("type") == "ExternalName":
        return []
    addresses, families = spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    one = spec.get("clusterIP", "")
    errors: list[FieldError] = []
    if one and addresses and addresses[0] != one:
        errors.append(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif not one and addresses:
        errors.append(invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            errors.append(not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
        if family in families[:index]:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, _POLICIES))
    addresses = addresses or ([one] if one else [])
    return errors + _check_addresses(addresses, families, headless=is_headless(spec))


def _check_addresses(addresses: list[str], families: list[str], *, headless: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if addresses[:1] == ["None"] and len(addresses) > 1:
        errors.append(invalid("spec.clusterIPs", addresses, "'None' must be the first and only value"))
    for index, address in enumerate(addresses):
        if index or address != "None":
            errors += check_ip(f"spec.clusterIPs[{index}]", address)
    bad = bool(errors)
    if len(addresses) > 2:
        errors.append(invalid("spec.clusterIPs", addresses, "may only hold up to 2 values"))
    if bad:
        return errors
    if len(addresses) > 1 and len({address_family(each) for each in addresses}) < len(addresses):
        message = "may specify no more than one IP for each IP family"
        errors.append(invalid("spec.clusterIPs", addresses, message))
    if not headless:
        for index, (address, family) in enumerate(zip(addresses, families, strict=False)):
            if family in _FAMILIES and address_family(address) != family:
                message = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
                errors.append(invalid(f"spec.clusterIPs[{index}]", address, message))
    return errors


def choose_families(spec: Json, was: Json | None) -> list[FieldError]:
    """Set the families and their policy where a Service leaves them open; errors for what this cluster does not have.

    Args:
        spec: of the Service that is written; it is changed.
        was: the spec before an update; None for a new Service.
    """
    selectorless = is_headless(spec) and not spec.get("selector")
    if spec.get("ipFamilyPolicy") is None:
        before = None if was is None else was.get("ipFamilyPolicy")
        spec["ipFamilyPolicy"] = before or ("RequireDualStack" if selectorless else "SingleStack")
    policy = spec["ipFamilyPolicy"]
    addresses = [each for each in _addresses(spec) if each != "None"]
    families: list[str] = list(spec.get("ipFamilies") or [])
    if was is not None and policy == "SingleStack" and families == was.get("ipFamilies"):
        families = families[:1]  # a change of the policy alone is clear enough
    errors: list[FieldError] = []
    if policy == "SingleStack":
        for name, values in (("cluster IPs", addresses), ("IP families", families)):
            if len(values) == 2:
                errors.append(invalid("spec.ipFamilyPolicy", policy, _TWO_NEEDED.format(name)))
    for index, address in enumerate(addresses[len(families) :], len(families)):
        family = address_family(address)
        if family != _SERVED:
            message = f"{family} is not configured on this cluster"
            errors.append(invalid(f"spec.clusterIPs[{index}]", addresses, message))
        else:
            families.append(family)
    if errors:
        return errors
    spec["ipFamilies"] = families = families or [_SERVED]
    if selectorless:
        # The writer of the endpoints decides about their families, whatever the cluster has.
        if len(families) < 2 and policy != "SingleStack":
            families.append(next(each for each in _FAMILIES if each not in families))
        return []
    if policy == "RequireDualStack":
        errors.append(invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"))
    errors += [
        invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(families)
        if family != _SERVED
    ]
    return errors


def check_family_change(now: Json, was: Json) -> list[FieldError]:
    """The first address and the first family stay, unless the Service is, or was, for another name."""
    if "ExternalName" in (now.get("type"), was.get("type")):
        return []
    errors: list[FieldError] = []
    before, after = _addresses(was), _addresses(now)
    headless = is_headless(now)
    if not (headless and is_headless(was)):
        if before and not after:
            errors.append(invalid("spec.clusterIPs[0]", after, "primary clusterIP can not be unset"))
        elif before and before[0] != after[0]:
            errors.append(invalid("spec.clusterIPs[0]", after, "may not change once set"))
    if headless or is_headless(was):
        return errors
    old, new = was.get("ipFamilies") or [], now.get("ipFamilies") or []
    if old and new and old[0] != new[0]:
        errors.append(invalid("spec.ipFamilies[0]", new, "may not change once set"))
    return errors


def _addresses(spec: Json) -> list[str]:
    return spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
