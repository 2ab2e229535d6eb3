"""The parts of definitions beside their schemas: what kube-apiserver 1.36 says to each.

Every expectation is the list of causes that the API server's own code returned for the definition.
"""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.schema import set_definition_defaults, validate_definition
from zestor_controller.schema.definition import definition_approval

STRING = {"type": "string"}


def version(**fields: Any) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {"name": "v1", "served": True, "storage": True, "schema": schema, **fields}


def errors(spec: dict[str, Any], **metadata: Any) -> list[str]:
    names = {"plural": "bads", "kind": "Bad"}
    whole = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version()], **spec}
    crd = {"metadata": {"name": "bads.example.com", **metadata}, "spec": whole}
    set_definition_defaults(crd)
    return [error.message() for error in validate_definition(crd)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"names": {"kind": "Bad", "singular": "bad", "listKind": "BadList"}},
            [
                'metadata.name: Invalid value: "bads.example.com": must be spec.names.plural+"."+spec.group',
                "spec.names.plural: Required value",
            ],
            id="no plural",
        ),
        pytest.param(
            {"names": {"plural": "bads"}},
            [
                "spec.names.singular: Required value",
                "spec.names.kind: Required value",
                "spec.names.listKind: Required value",
            ],
            id="no kind",
        ),
        pytest.param(
            {"names": {"plural": "bads", "kind": "Bad", "listKind": "Bad"}},
            ['spec.names.listKind: Invalid value: "Bad": kind and listKind may not be the same'],
            id="kind equals list kind",
        ),
        pytest.param(
            {"names": {"plural": "Bads", "kind": "Bad"}},
            [
                'metadata.name: Invalid value: "bads.example.com": must be spec.names.plural+"."+spec.group',
                (
                    'spec.names.plural: Invalid value: "Bads": a DNS-1035 label must consist of '
                    "lower case alphanumeric characters or '-', start with an alphabetic "
                    "character, and end with an alphanumeric character (e.g. 'my-name',  or "
                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="upper plural",
        ),
        pytest.param(
            {"names": {"plural": "bads", "kind": "Ba d"}},
            [
                (
                    'spec.names.singular: Invalid value: "ba d": a DNS-1035 label must consist of '
                    "lower case alphanumeric characters or '-', start with an alphabetic "
                    "character, and end with an alphanumeric character (e.g. 'my-name',  or "
                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
                (
                    'spec.names.kind: Invalid value: "Ba d": may have mixed case, but should '
                    "otherwise match: a DNS-1035 label must consist of lower case alphanumeric "
                    "characters or '-', start with an alphabetic character, and end with an "
                    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
                    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
                (
                    'spec.names.listKind: Invalid value: "Ba dList": may have mixed case, but '
                    "should otherwise match: a DNS-1035 label must consist of lower case "
                    "alphanumeric characters or '-', start with an alphabetic character, and end "
                    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
                    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd kind",
        ),
        pytest.param(
            {"names": {"plural": "bads", "kind": "Bad", "singular": "-b"}},
            [
                (
                    'spec.names.singular: Invalid value: "-b": a DNS-1035 label must consist of '
                    "lower case alphanumeric characters or '-', start with an alphabetic "
                    "character, and end with an alphanumeric character (e.g. 'my-name',  or "
                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd singular",
        ),
        pytest.param(
            {"names": {"plural": "bads", "kind": "Bad", "listKind": "1List"}},
            [
                (
                    'spec.names.listKind: Invalid value: "1List": may have mixed case, but should '
                    "otherwise match: a DNS-1035 label must consist of lower case alphanumeric "
                    "characters or '-', start with an alphabetic character, and end with an "
                    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
                    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd list kind",
        ),
        pytest.param(
            {"names": {"plural": "bads", "kind": "Bad", "shortNames": ["b", "B_"]}},
            [
                (
                    'spec.names.shortNames[1]: Invalid value: "B_": a DNS-1035 label must consist '
                    "of lower case alphanumeric characters or '-', start with an alphabetic "
                    "character, and end with an alphanumeric character (e.g. 'my-name',  or "
                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd short name",
        ),
        pytest.param(
            {"names": {"plural": "bads", "kind": "Bad", "categories": ["all", "no!"]}},
            [
                (
                    'spec.names.categories[1]: Invalid value: "no!": a DNS-1035 label must consist '
                    "of lower case alphanumeric characters or '-', start with an alphabetic "
                    "character, and end with an alphanumeric character (e.g. 'my-name',  or "
                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd category",
        ),
        pytest.param(
            {
                "names": {
                    "plural": "bads",
                    "kind": "Baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                },
            },
            [
                (
                    "spec.names.singular: Invalid value: "
                    '"baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be '
                    "no more than 63 characters"
                ),
                (
                    "spec.names.kind: Invalid value: "
                    '"Baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": may have '
                    "mixed case, but should otherwise match: must be no more than 63 characters"
                ),
                (
                    "spec.names.listKind: Invalid value: "
                    '"BaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaList": may '
                    "have mixed case, but should otherwise match: must be no more than 63 "
                    "characters"
                ),
            ],
            id="long kind",
        ),
    ],
)
def test_the_names_of_a_definition_are_labels_and_kind_and_list_kind_differ(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"group": ""},
            [
                'metadata.name: Invalid value: "bads.example.com": must be spec.names.plural+"."+spec.group',
                "spec.group: Required value",
            ],
            id="no group",
        ),
        pytest.param(
            {"group": "example"},
            [
                'metadata.name: Invalid value: "bads.example.com": must be spec.names.plural+"."+spec.group',
                'spec.group: Invalid value: "example": should be a domain with at least one dot',
            ],
            id="group without a dot",
        ),
        pytest.param(
            {"group": "Example.com"},
            [
                'metadata.name: Invalid value: "bads.example.com": must be spec.names.plural+"."+spec.group',
                (
                    'spec.group: Invalid value: "Example.com": a lowercase RFC 1123 subdomain must '
                    "consist of lower case alphanumeric characters, '-' or '.', and must start and "
                    "end with an alphanumeric character (e.g. 'example.com', regex used for "
                    "validation is "
                    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                ),
            ],
            id="odd group",
        ),
        pytest.param({"scope": ""}, ["spec.scope: Required value"], id="no scope"),
        pytest.param(
            {"scope": "Global"},
            ['spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"'],
            id="unknown scope",
        ),
        pytest.param(
            {"preserveUnknownFields": True},
            [
                (
                    "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
                    "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
                    "instead"
                ),
            ],
            id="preserveUnknownFields",
        ),
    ],
)
def test_the_group_is_a_domain_and_the_scope_one_of_two(spec: dict[str, Any], expected: list[str]) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"versions": []},
            [
                "spec.versions: Invalid value: []: must have exactly one version marked as storage version",
                "status.storedVersions: Invalid value: null: must have at least one stored version",
            ],
            id="none",
        ),
        pytest.param(
            {"versions": [version(storage=False)]},
            [
                (
                    "spec.versions: Invalid value: "
                    '[{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"Deprecatio'
                    'nWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns'
                    '":null,"SelectableFields":null}]: must have exactly one version marked as '
                    "storage version"
                ),
                "status.storedVersions: Invalid value: null: must have at least one stored version",
            ],
            id="no storage",
        ),
        pytest.param(
            {"versions": [version(), version(name="v2")]},
            [
                (
                    "spec.versions: Invalid value: "
                    '[{"Name":"v1","Served":true,"Storage":true,"Deprecated":false,"Deprecation'
                    'Warning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns"'
                    ':null,"SelectableFields":null},{"Name":"v2","Served":true,"Storage":true,"'
                    'Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":n'
                    'ull,"AdditionalPrinterColumns":null,"SelectableFields":null}]: must have '
                    "exactly one version marked as storage version"
                ),
                'status.storedVersions: Invalid value: ["v1"]: must have the storage version v2',
            ],
            id="two storages",
        ),
        pytest.param(
            {"versions": [version(), version(storage=False)]},
            [
                (
                    "spec.versions: Invalid value: "
                    '[{"Name":"v1","Served":true,"Storage":true,"Deprecated":false,"Deprecation'
                    'Warning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns"'
                    ':null,"SelectableFields":null},{"Name":"v1","Served":true,"Storage":false,'
                    '"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":'
                    'null,"AdditionalPrinterColumns":null,"SelectableFields":null}]: must contain '
                    "unique version names"
                ),
            ],
            id="repeated",
        ),
        pytest.param(
            {"versions": [version(name="V_1")]},
            [
                (
                    'spec.versions[0].name: Invalid value: "V_1": a DNS-1035 label must consist of '
                    "lower case alphanumeric characters or '-', start with an alphabetic "
                    "character, and end with an alphanumeric character (e.g. 'my-name',  or "
                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
                (
                    'spec.version: Invalid value: "V_1": a DNS-1035 label must consist of lower '
                    "case alphanumeric characters or '-', start with an alphabetic character, and "
                    "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used "
                    "for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd name",
        ),
        pytest.param(
            {"versions": [{"name": "v1", "served": True, "storage": True}]},
            ["spec.versions[0].schema.openAPIV3Schema: Required value"],
            id="no schema",
        ),
        pytest.param(
            {"versions": [version(deprecationWarning="w")]},
            [
                'spec.versions[0].deprecationWarning: Invalid value: "w": can only be set for deprecated versions',
            ],
            id="warning of a version that is not deprecated",
        ),
        pytest.param(
            {"versions": [version(deprecated=True, deprecationWarning="")]},
            ['spec.versions[0].deprecationWarning: Invalid value: "": must not be an empty string'],
            id="empty warning",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        deprecated=True,
                        deprecationWarning=(
                            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                        ),
                    )
                ]
            },
            [
                (
                    "spec.versions[0].deprecationWarning: Invalid value: "
                    '"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww'
                    "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                    "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                    'wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww": must be <= 256 characters long'
                ),
            ],
            id="long warning",
        ),
        pytest.param(
            {"versions": [version(deprecated=True, deprecationWarning="\u00e9\nb")]},
            [
                (
                    'spec.versions[0].deprecationWarning: Invalid value: "é\\nb": must only '
                    "contain printable UTF-8 characters; non-printable character found at index 2"
                ),
            ],
            id="warning of two lines",
        ),
        pytest.param(
            {
                "versions": [
                    version(),
                    version(name="v2", storage=False, schema={"openAPIV3Schema": {"type": "string"}}),
                ]
            },
            [
                ('spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root'),
            ],
            id="schemas that differ",
        ),
    ],
)
def test_versions_have_labels_of_their_own_one_of_them_is_stored_and_warnings_are_for_deprecated_ones(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"conversion": {"strategy": "None"}}, [], id="none"),
        pytest.param(
            {"conversion": {"strategy": "Magic"}},
            [
                'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"',
            ],
            id="unknown strategy",
        ),
        pytest.param({"conversion": {"strategy": ""}}, ["spec.conversion.strategy: Required value"], id="no strategy"),
        pytest.param(
            {"conversion": {"strategy": "Webhook"}},
            [
                "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
                "spec.conversion.conversionReviewVersions: Required value",
            ],
            id="webhook without one",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "None",
                    "webhook": {"clientConfig": {"url": "https://a/b"}, "conversionReviewVersions": ["v1"]},
                },
            },
            [
                (
                    "spec.conversion.webhookClientConfig: Forbidden: should not be set when "
                    "strategy is not set to Webhook"
                ),
                (
                    "spec.conversion.conversionReviewVersions: Forbidden: should not be set when "
                    "strategy is not set to Webhook"
                ),
            ],
            id="webhook with none",
        ),
        pytest.param(
            {"conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}},
            [
                "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
            ],
            id="no client",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {}, "conversionReviewVersions": ["v1"]},
                },
            },
            [
                "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
            ],
            id="neither url nor service",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "clientConfig": {"url": "https://a", "service": {"name": "a", "namespace": "b"}},
                        "conversionReviewVersions": ["v1"],
                    },
                },
            },
            [
                "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
            ],
            id="both url and service",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "http://a/b"}, "conversionReviewVersions": ["v1"]},
                },
            },
            [
                (
                    "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is "
                    "the only allowed URL scheme; desired format: https://host[/path]"
                ),
            ],
            id="http",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "https:///b"}, "conversionReviewVersions": ["v1"]},
                },
            },
            [
                (
                    'spec.conversion.webhookClientConfig.url: Invalid value: "": host must be '
                    "specified; desired format: https://host[/path]"
                ),
            ],
            id="no host",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "https://u:p@a/b"}, "conversionReviewVersions": ["v1"]},
                },
            },
            [
                (
                    'spec.conversion.webhookClientConfig.url: Invalid value: "u:p": user '
                    "information is not permitted in the URL"
                ),
            ],
            id="user",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "clientConfig": {"url": "https://a/b?c=d#e"},
                        "conversionReviewVersions": ["v1"],
                    },
                },
            },
            [
                ('spec.conversion.webhookClientConfig.url: Invalid value: "e": fragments are not permitted in the URL'),
                (
                    'spec.conversion.webhookClientConfig.url: Invalid value: "c=d": query '
                    "parameters are not permitted in the URL"
                ),
            ],
            id="fragment and query",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "clientConfig": {"service": {"name": "", "namespace": ""}},
                        "conversionReviewVersions": ["v1"],
                    },
                },
            },
            [
                "spec.conversion.webhookClientConfig.service.name: Required value",
                "spec.conversion.webhookClientConfig.service.namespace: Required value",
            ],
            id="service without names",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "clientConfig": {"service": {"name": "", "namespace": "n"}},
                        "conversionReviewVersions": ["v1"],
                    },
                },
            },
            ["spec.conversion.webhookClientConfig.service.namespace: Required value"],
            id="service without a name",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "clientConfig": {"service": {"name": "a", "namespace": "n", "port": 70000}},
                        "conversionReviewVersions": ["v1"],
                    },
                },
            },
            [
                (
                    "spec.conversion.webhookClientConfig.service.port: Invalid value: 70000: port "
                    "is not valid: must be between 1 and 65535, inclusive"
                ),
            ],
            id="service with a bad port",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "https://a/b"}, "conversionReviewVersions": []},
                },
            },
            ["spec.conversion.conversionReviewVersions: Required value"],
            id="no review versions",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "https://a/b"}, "conversionReviewVersions": ["v2"]},
                },
            },
            [
                (
                    'spec.conversion.conversionReviewVersions: Invalid value: ["v2"]: must include '
                    "at least one of v1, v1beta1"
                ),
            ],
            id="unknown review versions",
        ),
        pytest.param(
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "clientConfig": {"url": "https://a/b"},
                        "conversionReviewVersions": ["v1", "v1", "V2"],
                    },
                },
            },
            [
                'spec.conversion.conversionReviewVersions[1]: Invalid value: "v1": duplicate version',
                (
                    'spec.conversion.conversionReviewVersions[2]: Invalid value: "V2": a DNS-1035 '
                    "label must consist of lower case alphanumeric characters or '-', start with "
                    "an alphabetic character, and end with an alphanumeric character (e.g. "
                    "'my-name',  or 'abc-123', regex used for validation is "
                    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="repeated review versions",
        ),
    ],
)
def test_a_conversion_webhook_has_one_https_address_and_a_known_review_version(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"versions": [version(subresources={"scale": {}})]},
            [
                "spec.subresources.scale.specReplicasPath: Required value",
                "spec.subresources.scale.statusReplicasPath: Required value",
            ],
            id="empty",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        subresources={
                            "scale": {
                                "specReplicasPath": ".spec.r",
                                "statusReplicasPath": ".status.r",
                                "labelSelectorPath": ".status.s",
                            },
                        }
                    )
                ]
            },
            [],
            id="good",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        subresources={
                            "scale": {
                                "specReplicasPath": "spec.r",
                                "statusReplicasPath": "x",
                                "labelSelectorPath": "y",
                            },
                        }
                    )
                ]
            },
            [
                (
                    'spec.subresources.scale.specReplicasPath: Invalid value: "spec.r": must be a '
                    "simple json path starting with ."
                ),
                (
                    'spec.subresources.scale.statusReplicasPath: Invalid value: "x": must be a '
                    "simple json path starting with ."
                ),
                (
                    'spec.subresources.scale.labelSelectorPath: Invalid value: "y": must be a '
                    "simple json path starting with ."
                ),
            ],
            id="no dot",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        subresources={
                            "scale": {
                                "specReplicasPath": ".status.r",
                                "statusReplicasPath": ".spec.r",
                                "labelSelectorPath": ".metadata.x",
                            },
                        }
                    )
                ]
            },
            [
                (
                    'spec.subresources.scale.specReplicasPath: Invalid value: ".status.r": should '
                    "be a json path under .spec"
                ),
                (
                    'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.r": should '
                    "be a json path under .status"
                ),
                (
                    'spec.subresources.scale.labelSelectorPath: Invalid value: ".metadata.x": '
                    "should be a json path under either .spec or .status"
                ),
            ],
            id="other roots",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        subresources={
                            "scale": {
                                "specReplicasPath": ".spec.r",
                                "statusReplicasPath": ".status.r",
                                "labelSelectorPath": ".spec.s",
                            },
                        }
                    )
                ]
            },
            [],
            id="selector under spec",
        ),
    ],
)
def test_the_paths_of_a_scale_are_simple_and_below_spec_and_status(spec: dict[str, Any], expected: list[str]) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"versions": [version(additionalPrinterColumns=[{}])]},
            [
                "spec.additionalPrinterColumns[0].name: Required value",
                (
                    "spec.additionalPrinterColumns[0].type: Required value: must be one of "
                    "boolean,date,integer,number,string"
                ),
                "spec.additionalPrinterColumns[0].JSONPath: Required value",
            ],
            id="empty",
        ),
        pytest.param(
            {"versions": [version(additionalPrinterColumns=[{"name": "a", "type": "text", "jsonPath": ".a"}])]},
            [
                (
                    'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of '
                    "boolean,date,integer,number,string"
                ),
            ],
            id="unknown type",
        ),
        pytest.param(
            {
                "versions": [
                    version(additionalPrinterColumns=[{"name": "a", "type": "string", "format": "x", "jsonPath": ".a"}])
                ]
            },
            [
                (
                    'spec.additionalPrinterColumns[0].format: Invalid value: "x": must be one of '
                    "byte,date,date-time,double,float,int32,int64,password"
                ),
            ],
            id="unknown format",
        ),
        pytest.param(
            {"versions": [version(additionalPrinterColumns=[{"name": "a", "type": "string", "jsonPath": "a"}])]},
            [
                (
                    'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a '
                    "simple json path starting with ."
                ),
            ],
            id="path without a dot",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        additionalPrinterColumns=[
                            {
                                "name": "a",
                                "type": "date",
                                "format": "date-time",
                                "jsonPath": ".metadata.creationTimestamp",
                            },
                        ]
                    )
                ]
            },
            [],
            id="good",
        ),
        pytest.param(
            {
                "versions": [
                    version(),
                    version(
                        name="v2",
                        storage=False,
                        additionalPrinterColumns=[{"name": "a", "type": "x", "jsonPath": ".a"}],
                    ),
                ]
            },
            [
                (
                    'spec.versions[1].additionalPrinterColumns[0].type: Invalid value: "x": must '
                    "be one of boolean,date,integer,number,string"
                ),
            ],
            id="of one of two versions",
        ),
    ],
)
def test_a_column_has_a_name_a_known_type_and_format_and_a_path(spec: dict[str, Any], expected: list[str]) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"versions": [version(selectableFields=[{"jsonPath": ""}])]},
            ["spec.selectableFields[0].jsonPath: Required value"],
            id="no path",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": ".spec.a"}],
                    )
                ]
            },
            [],
            id="good",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.a"}],
                    )
                ]
            },
            ['spec.selectableFields[1].jsonPath: Duplicate value: ".spec.a"'],
            id="repeated",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": ".spec"}],
                    )
                ]
            },
            [
                (
                    'spec.selectableFields[0].jsonPath: Invalid value: ".spec": must point to a '
                    "field of type string, boolean or integer. Enum string fields and strings with "
                    "formats are allowed."
                ),
            ],
            id="object",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {
                                    "metadata": {"type": "object", "properties": {"name": {"type": "string"}}}
                                },
                            },
                        },
                        selectableFields=[{"jsonPath": ".metadata.name"}],
                    )
                ]
            },
            [
                (
                    'spec.selectableFields[0].jsonPath: Invalid value: ".metadata.name": must not '
                    "point to fields in metadata"
                ),
            ],
            id="metadata",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": ".spec.b"}],
                    )
                ]
            },
            [
                (
                    'spec.selectableFields[0].jsonPath: Invalid value: ".spec.b": is an invalid '
                    "path: does not refer to a valid field"
                ),
            ],
            id="unknown",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": ".spec['a']"}],
                    )
                ]
            },
            [
                (
                    "spec.selectableFields[0].jsonPath: Invalid value: \".spec['a']\": is an "
                    "invalid path: array notation is not allowed"
                ),
            ],
            id="array notation",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": "spec.a"}],
                    )
                ]
            },
            [
                (
                    'spec.selectableFields[0].jsonPath: Invalid value: "spec.a": is an invalid '
                    "path: expected [ or . but got: spec"
                ),
            ],
            id="no dot",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                            },
                        },
                        selectableFields=[{"jsonPath": ".spec."}],
                    )
                ]
            },
            [
                (
                    'spec.selectableFields[0].jsonPath: Invalid value: ".spec.": is an invalid '
                    "path: unexpected end of JSON path"
                ),
            ],
            id="ends with a dot",
        ),
        pytest.param(
            {
                "versions": [
                    version(
                        schema={
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {
                                    "f0": {"type": "string"},
                                    "f1": {"type": "string"},
                                    "f2": {"type": "string"},
                                    "f3": {"type": "string"},
                                    "f4": {"type": "string"},
                                    "f5": {"type": "string"},
                                    "f6": {"type": "string"},
                                    "f7": {"type": "string"},
                                    "f8": {"type": "string"},
                                },
                            },
                        },
                        selectableFields=[
                            {"jsonPath": ".f0"},
                            {"jsonPath": ".f1"},
                            {"jsonPath": ".f2"},
                            {"jsonPath": ".f3"},
                            {"jsonPath": ".f4"},
                            {"jsonPath": ".f5"},
                            {"jsonPath": ".f6"},
                            {"jsonPath": ".f7"},
                            {"jsonPath": ".f8"},
                        ],
                    )
                ]
            },
            ["spec.selectableFields: Too many: 9: must have at most 8 items"],
            id="nine",
        ),
    ],
)
def test_selectable_fields_are_at_most_eight_scalar_fields_of_the_schema_outside_of_metadata(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert errors(spec) == expected


@pytest.mark.parametrize(
    ("annotations", "state", "expected"),
    [
        pytest.param(
            {},
            "missing",
            [
                (
                    "metadata.annotations[api-approved.kubernetes.io]: Required value: protected "
                    'groups must have approval annotation "api-approved.kubernetes.io", see '
                    "https://github.com/kubernetes/enhancements/pull/1111"
                ),
            ],
            id="missing",
        ),
        pytest.param({"api-approved.kubernetes.io": "https://github.com/x"}, "approved", [], id="url"),
        pytest.param({"api-approved.kubernetes.io": "unapproved, experimental"}, "bypassed", [], id="unapproved"),
        pytest.param(
            {"api-approved.kubernetes.io": "yes"},
            "invalid",
            [
                (
                    'metadata.annotations[api-approved.kubernetes.io]: Invalid value: "yes": '
                    'protected groups must have approval annotation "api-approved.kubernetes.io" '
                    'with either a URL or a reason starting with "unapproved", see '
                    "https://github.com/kubernetes/enhancements/pull/1111"
                ),
            ],
            id="text",
        ),
    ],
)
def test_a_group_of_the_kubernetes_community_needs_an_approval(
    annotations: dict[str, str], state: str, expected: list[str]
) -> None:
    spec = {"group": "x.k8s.io"}
    assert errors(spec, name="bads.x.k8s.io", annotations=annotations) == expected
    assert definition_approval({"metadata": {"annotations": annotations}, "spec": spec})[0] == state


def test_a_definition_is_named_after_its_plural_and_group() -> None:
    assert errors({}, name="goods.example.com") == [
        'metadata.name: Invalid value: "goods.example.com": must be spec.names.plural+"."+spec.group'
    ]


def test_the_defaults_of_a_definition_are_names_conversion_and_port() -> None:
    webhook = {"clientConfig": {"service": {"name": "a", "namespace": "b"}}}
    crd: dict[str, Any] = {"spec": {"names": {"kind": "Bad"}, "conversion": {"webhook": webhook}}}
    set_definition_defaults(crd)
    assert crd["spec"]["names"] == {"kind": "Bad", "singular": "bad", "listKind": "BadList"}
    assert crd["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"] == 443
    bare: dict[str, Any] = {}
    set_definition_defaults(bare)
    assert bare == {"spec": {"names": {}, "conversion": {"strategy": "None"}}}
