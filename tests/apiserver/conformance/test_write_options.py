"""Options of writes: dryRun, fieldManager and fieldValidation, and the warnings that come of them."""

import json

import pytest

METHODS = {"CreateOptions": "POST", "UpdateOptions": "PUT", "PatchOptions": "PATCH"}
DUPLICATES = (
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s","nope":1},'
    b'"data":{"a":"1","a":"2"},"dta":{},"kind":"ConfigMap"}'
)
FINDINGS = [
    'unknown field "metadata.nope"',
    'duplicate field "data.a"',
    'unknown field "dta"',
    'duplicate field "kind"',
]


async def write(server, options, query, name="a"):
    """Write a ConfigMap by the method whose options are meant."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "new"}}
    path = server.configmaps if options == "CreateOptions" else f"{server.configmaps}/{name}"
    kind = {"content_type": "application/merge-patch+json"} if options == "PatchOptions" else {}
    return await server.ask(METHODS[options], f"{path}?{query}", body, **kind)


@pytest.mark.parametrize("options", METHODS)
@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("dryRun=Yes", "dryRun", 'Unsupported value: ["Yes"]: supported values: "All"'),
        ("dryRun=", "dryRun", 'Unsupported value: [""]: supported values: "All"'),
        ("dryRun=all", "dryRun", 'Unsupported value: ["all"]: supported values: "All"'),
        ("dryRun=All&dryRun=x", "dryRun", 'Unsupported value: ["All","x"]: supported values: "All"'),
        (
            "fieldValidation=strict",
            "fieldValidation",
            'Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        ("fieldManager=" + "m" * 129, "fieldManager", "Too long: may not be more than 128 bytes"),
        (
            "fieldManager=a%07b",
            "fieldManager",
            'Invalid value: "a\\ab": invalid character U+0007 (at position 1)',
        ),
    ],
)
async def test_an_invalid_option_is_reported_under_the_kind_of_its_options(server, options, query, field, message):
    before = await server.configmap("a")

    refused = await write(server, options, query, "b" if options == "CreateOptions" else "a")

    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert refused.body["details"]["kind"] == options
    assert refused.body["details"]["group"] == "meta.k8s.io"
    assert refused.causes == [(field, message)]
    assert refused.message == f'{options}.meta.k8s.io "" is invalid: {field}: {message}'
    assert (await server.get(server.configmaps)).names == ["a"]
    assert (await server.get(f"{server.configmaps}/a")).body == before


@pytest.mark.parametrize("options", METHODS)
async def test_a_field_manager_of_128_bytes_is_kept_whole(server, options):
    await server.configmap("a", {"k": "old"})

    name = "b" if options == "CreateOptions" else "a"
    written = await write(server, options, "fieldManager=" + "m" * 128, name)

    assert written.status in (200, 201)
    assert "m" * 128 in [entry["manager"] for entry in written.body["metadata"]["managedFields"]]


@pytest.mark.parametrize(
    ("agent", "manager"),
    [
        ("kubectl/v1.36.0 (linux/amd64) kubernetes/abc", "kubectl"),
        ("curl", "curl"),
        ("Mozilla/5.0 (X11)", "Mozilla"),
        ("with space/1", "with space"),
        ("a" * 200 + "/1", "a" * 128),
    ],
)
async def test_without_a_field_manager_it_is_the_user_agent_up_to_its_slash(server, agent, manager):
    body = {"metadata": {"name": "a"}, "data": {"k": "v"}}

    made = await server.post(server.configmaps, body, user_agent=agent)

    assert [entry["manager"] for entry in made.body["metadata"]["managedFields"]] == [manager]


async def test_a_field_manager_goes_before_the_user_agent(server):
    made = await server.post(f"{server.configmaps}?fieldManager=me", {"metadata": {"name": "a"}, "data": {"k": "v"}})

    assert [entry["manager"] for entry in made.body["metadata"]["managedFields"]] == ["me"]


async def test_a_dry_create_has_a_uid_and_no_version_and_is_not_there(server):
    made = await server.post(f"{server.configmaps}?dryRun=All", {"metadata": {"name": "a"}})

    assert made.status == 201
    assert made.body["metadata"]["uid"]
    assert made.body["metadata"]["creationTimestamp"]
    assert "resourceVersion" not in made.body["metadata"]
    assert (await server.get(f"{server.configmaps}/a")).status == 404


@pytest.mark.parametrize("query", ["dryRun=All", "dryRun=All&dryRun=All"])
@pytest.mark.parametrize("options", ["UpdateOptions", "PatchOptions"])
async def test_a_dry_update_shows_the_new_data_under_the_old_version(server, options, query):
    before = await server.configmap("a", {"k": "old"})

    shown = await write(server, options, query)

    assert shown.body["data"] == {"k": "new"}
    assert shown.body["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert (await server.get(f"{server.configmaps}/a")).body == before


async def test_a_dry_run_fails_as_the_real_write_would(server):
    await server.configmap("a")

    assert (await write(server, "CreateOptions", "dryRun=All")).body["reason"] == "AlreadyExists"
    assert (await write(server, "PatchOptions", "dryRun=All", "b")).body["reason"] == "NotFound"
    stale = {"metadata": {"name": "a", "resourceVersion": "1"}}
    assert (await server.put(f"{server.configmaps}/a?dryRun=All", stale)).body["reason"] == "Conflict"


async def test_a_dry_run_sends_no_event(server):
    made = await server.configmap("a", {"k": "old"})
    version = made["metadata"]["resourceVersion"]
    stream = await server.watch(f"{server.configmaps}?watch=1&resourceVersion={version}")

    await write(server, "CreateOptions", "dryRun=All", "b")
    await write(server, "UpdateOptions", "dryRun=All")
    await server.delete(f"{server.configmaps}/a?dryRun=All")
    await server.configmap("c")

    assert await stream.events(1) == [("ADDED", "c")]
    await stream.close()


async def test_a_dry_apply_finds_conflicts_and_with_force_shows_the_new_owner(server):
    await server.configmap("a", {"k": "1"})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "2"}}

    refused = await server.patch("apply", f"{server.configmaps}/a?dryRun=All&fieldManager=m", body)
    forced = await server.patch("apply", f"{server.configmaps}/a?dryRun=All&fieldManager=m&force=true", body)

    assert refused.failure[:2] == (409, "Conflict")
    assert refused.causes == [(".data.k", 'conflict with "tester" using v1')]
    assert forced.body["data"] == {"k": "2"}
    assert (await server.get(f"{server.configmaps}/a")).body["data"] == {"k": "1"}


async def test_strict_validation_refuses_unknown_and_duplicate_fields_in_the_order_of_the_body(server):
    refused = await server.post(f"{server.configmaps}?fieldValidation=Strict", DUPLICATES % b"a")

    assert refused.failure == (
        400,
        "BadRequest",
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ' + ", ".join(FINDINGS),
    )
    assert (await server.get(f"{server.configmaps}/a")).status == 404


@pytest.mark.parametrize("query", ["", "?fieldValidation=Warn", "?fieldValidation="])
async def test_unknown_and_duplicate_fields_are_warned_of_by_default_and_dropped(server, query):
    made = await server.post(f"{server.configmaps}{query}", DUPLICATES % b"a")

    assert made.status == 201
    assert made.warnings == FINDINGS
    assert made.body["data"] == {"a": "2"}
    assert "dta" not in made.body
    assert "nope" not in made.body["metadata"]


async def test_ignored_fields_are_dropped_in_silence(server):
    made = await server.post(f"{server.configmaps}?fieldValidation=Ignore", DUPLICATES % b"a")

    assert (made.status, made.warnings, made.body["data"]) == (201, [], {"a": "2"})


async def test_an_update_is_validated_as_a_create_is(server):
    await server.configmap("a")

    refused = await server.put(f"{server.configmaps}/a?fieldValidation=Strict", DUPLICATES % b"a")
    warned = await server.put(f"{server.configmaps}/a?fieldValidation=Warn", DUPLICATES % b"a")

    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.message.endswith(", ".join(FINDINGS))
    assert (warned.status, warned.warnings) == (200, FINDINGS)


@pytest.mark.parametrize(
    ("how", "patch", "finding"),
    [
        ("merge", b'{"foo":1}', 'unknown field "foo"'),
        ("merge", b'{"data":{"a":"1","a":"2"}}', 'duplicate field "data.a"'),
        ("json", b'[{"op":"add","path":"/foo","value":1}]', 'unknown field "foo"'),
        ("strategic", b'{"metadata":{"bogus":1}}', 'unknown field "metadata.bogus"'),
    ],
)
async def test_a_patch_is_validated_by_what_it_makes_of_the_object(server, how, patch, finding):
    await server.configmap("a")
    path = f"{server.configmaps}/a"

    refused = await server.patch(how, f"{path}?fieldValidation=Strict", patch)
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    shown = "map[metadata:map[bogus:1]]" if how == "strategic" else "{"
    assert refused.message.startswith(f' "" is invalid: patch: Invalid value: "{shown}')
    assert refused.message.endswith(f"strict decoding error: {finding}")
    assert [field for field, _ in refused.causes] == ["patch"]

    warned = await server.patch(how, f"{path}?fieldValidation=Warn", patch)
    assert (warned.status, warned.warnings) == (200, [finding])
    ignored = await server.patch(how, f"{path}?fieldValidation=Ignore", patch)
    assert (ignored.status, ignored.warnings) == (200, [])


WIDGET = (
    b'{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","bogus":1},'
    b'"spec":{"size":1,"size":2,"x":1,"ports":[{"name":"a","q":2}]},"top":1}'
)
OF_WIDGET = [
    'duplicate field "spec.size"',
    'unknown field "metadata.bogus"',
    'unknown field "spec.ports[0].q"',
    'unknown field "spec.x"',
    'unknown field "top"',
]


async def test_custom_resources_name_duplicates_before_unknown_fields(server, definition):
    path = await server.define(definition())

    refused = await server.post(f"{path}?fieldValidation=Strict", WIDGET)
    assert refused.failure == (
        400,
        "BadRequest",
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: ' + ", ".join(OF_WIDGET),
    )
    warned = await server.post(path, WIDGET)
    assert (warned.status, warned.warnings) == (201, OF_WIDGET)
    assert warned.body["spec"] == {"size": 2, "ports": [{"name": "a"}]}


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
async def test_an_apply_of_an_unknown_field_fails_under_every_validation(server, definition, widget, validation):
    path = await server.define(definition())

    failed = await server.patch(
        "apply", f"{path}/w?fieldManager=m&fieldValidation={validation}", widget("w", spec={"q": 1})
    )

    assert failed.failure == (
        500,
        None,
        "failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.q: field not declared in schema",
    )


async def test_an_apply_with_duplicate_fields_is_refused_when_strict_and_warned_of_else(server):
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1","k":"2"}}'
    path = f"{server.configmaps}/a?fieldManager=m"

    refused = await server.patch("apply", f"{path}&fieldValidation=Strict", body)
    warned = await server.patch("apply", path, body)

    assert refused.failure == (
        400,
        "BadRequest",
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
        '  line 1: key "k" already set in map',
    )
    assert (warned.status, warned.body["data"]) == (201, {"k": "2"})
    assert warned.warnings == ['line 1: key "k" already set in map']


async def test_a_warning_quotes_what_it_names(server):
    made = await server.post(server.configmaps, json.dumps({"metadata": {"name": "a"}, 'say "x" \\': 1}).encode())

    assert made.header("warning") == r'299 - "unknown field \"say \\\"x\\\" \\\\\""'


@pytest.mark.parametrize("resource_version", ["1", "999", "0"])
async def test_a_create_brings_no_version(server, resource_version):
    made = await server.post(server.configmaps, {"metadata": {"name": "a", "resourceVersion": resource_version}})

    if resource_version == "0":
        assert made.status == 201
    else:
        assert made.failure == (500, None, "resourceVersion should not be set on objects to be created")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"metadata": {"name": "a", "namespace": "other"}},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, None),
        ({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}, None),
    ],
)
async def test_a_create_whose_body_contradicts_its_path_is_a_bad_request(server, body, message):
    refused = await server.post(server.configmaps, body)

    assert refused.failure[:2] == (400, "BadRequest")
    assert message is None or refused.message == message


async def test_an_update_whose_body_names_another_object_is_a_bad_request(server):
    await server.configmap("a")

    refused = await server.put(f"{server.configmaps}/a", {"metadata": {"name": "b"}})

    assert refused.failure == (400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)")


async def test_generated_names_come_after_a_prefix_that_is_cut_at_58(server):
    short = await server.post(server.configmaps, {"metadata": {"generateName": "g-"}})
    long = await server.post(server.configmaps, {"metadata": {"generateName": "x" * 63}})
    named = await server.post(server.configmaps, {"metadata": {"generateName": "g-", "name": "mine"}})
    neither = await server.post(server.configmaps, {"metadata": {}})

    assert short.body["metadata"]["name"].startswith("g-")
    assert len(short.body["metadata"]["name"]) == 7
    assert long.body["metadata"]["name"][:58] == "x" * 58
    assert len(long.body["metadata"]["name"]) == 63
    assert named.body["metadata"]["name"] == "mine"
    assert neither.causes == [("metadata.name", "Required value: name or generateName is required")]
