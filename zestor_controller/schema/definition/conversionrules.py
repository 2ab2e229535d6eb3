"""The rules of a CustomResourceDefinition's conversion.

Source: ``k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from zestor_controller.schema import nameformat
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

__all__ = ["check_conversion"]

Json = Mapping[str, Any]


def check_conversion(conversion: Json) -> Iterator[FieldError]:
    """A conversion: a webhook's parts are there when the strategy is Webhook, and only then."""
    path = "spec.conversion"
    strategy = conversion.get("strategy") or ""
    if not strategy:
        yield required(f"{path}.strategy")
    elif strategy not in ("None", "Webhook"):
        yield not_supported(f"{path}.strategy", strategy, ["None", "Webhook"])
    webhook = conversion.get("webhook") or {}
    client = webhook.get("clientConfig")
    versions = list(webhook.get("conversionReviewVersions") or ())
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if client is not None:
            yield forbidden(f"{path}.webhookClientConfig", why)
        if versions:
            yield forbidden(f"{path}.conversionReviewVersions", why)
        return
    if client is None:
        yield required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook")
    else:
        yield from _check_client(client, f"{path}.webhookClientConfig")
    yield from _check_review_versions(versions, f"{path}.conversionReviewVersions")


def _check_client(client: Json, path: str) -> Iterator[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _check_url(url, f"{path}.url")
    else:
        # The server hands name and namespace over in the wrong order; both are needed, so nobody noticed.
        for name, other in (("name", "namespace"), ("namespace", "name")):
            if not (service or {}).get(other):
                yield required(f"{path}.service.{name}")
        port = (service or {}).get("port", 443)
        if not 1 <= port <= 65535:
            yield invalid(f"{path}.service.port", port, "port is not valid: must be between 1 and 65535, inclusive")


def _check_url(url: str, path: str) -> Iterator[FieldError]:
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.netloc.rpartition("@")[2]:
        yield invalid(path, "", f"host must be specified{form}")
    if "@" in parts.netloc:
        yield invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL")
    if parts.fragment:
        yield invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield invalid(path, parts.query, "query parameters are not permitted in the URL")


def _check_review_versions(versions: list[str], path: str) -> Iterator[FieldError]:
    if not versions:
        yield required(path)
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield invalid(f"{path}[{index}]", version, "duplicate version")
            continue
        yield from (invalid(f"{path}[{index}]", version, why) for why in nameformat.dns1035_label(version))
    if not {"v1", "v1beta1"}.intersection(versions):
        yield invalid(path, versions, "must include at least one of v1, v1beta1")
