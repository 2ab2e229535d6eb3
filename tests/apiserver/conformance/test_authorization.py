"""RBAC: what each part of a rule allows, the texts of denials, bindings, aggregation, escalation, and the reviews."""

import json

import pytest

GROUP = "rbac.authorization.k8s.io"
RBAC = f"/apis/{GROUP}/v1"
HERE = f"{RBAC}/namespaces/default"
REVIEWS = "/apis/authorization.k8s.io/v1"
BOB = {"kind": "User", "apiGroup": GROUP, "name": "bob"}


def rule(resources, verbs, groups=("",), names=()):
    found = {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
    return {**found, "resourceNames": list(names)} if names else found


@pytest.fixture
def grant(rbac):
    """Gives rules to bob, or to other subjects, in the namespace `default` or in the cluster."""
    count = 0

    async def give(*rules, subjects=(BOB,), cluster=False, binding_of_cluster_role=False):
        nonlocal count
        count += 1
        kind = "ClusterRole" if cluster or binding_of_cluster_role else "Role"
        where = RBAC if kind == "ClusterRole" else HERE
        await rbac.create(f"{where}/{kind.lower()}s", {"metadata": {"name": f"r{count}"}, "rules": list(rules)})
        reference = {"apiGroup": GROUP, "kind": kind, "name": f"r{count}"}
        plural = "clusterrolebindings" if cluster else "rolebindings"
        body = {"metadata": {"name": f"b{count}"}, "roleRef": reference, "subjects": list(subjects)}
        await rbac.create(f"{RBAC if cluster else HERE}/{plural}", body)

    return give


async def as_bob(rbac, method, path, body=None, **headers):
    return await rbac.request(method, path, body, impersonate_user="bob", **headers)


async def may(rbac, verb, resource, group="", namespace="default", user="bob", groups=()):
    """The response of a SubjectAccessReview about a resource, such as `pods/log`."""
    plural, _, sub = resource.partition("/")
    attributes = {"verb": verb, "resource": plural, "subresource": sub, "group": group, "namespace": namespace}
    spec = {"user": user, "groups": list(groups), "resourceAttributes": attributes}
    review = await rbac.post(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
    assert review.status == 201, review.body
    return review.body["status"]["allowed"]


MAPS = "/api/v1/namespaces/default/configmaps"
IN_DEFAULT = 'in the namespace "default"'
OF_CLUSTER = "at the cluster scope"
DENIALS = [
    # method, path, what is forbidden, verb, resource, group, where
    ("GET", MAPS, "configmaps", "list", "configmaps", "", IN_DEFAULT),
    ("GET", f"{MAPS}?watch=1", "configmaps", "watch", "configmaps", "", IN_DEFAULT),
    ("GET", f"{MAPS}/a", 'configmaps "a"', "get", "configmaps", "", IN_DEFAULT),
    ("GET", f"{MAPS}/a?watch=1", 'configmaps "a"', "get", "configmaps", "", IN_DEFAULT),
    ("POST", MAPS, "configmaps", "create", "configmaps", "", IN_DEFAULT),
    ("PUT", f"{MAPS}/a", 'configmaps "a"', "update", "configmaps", "", IN_DEFAULT),
    ("PATCH", f"{MAPS}/a", 'configmaps "a"', "patch", "configmaps", "", IN_DEFAULT),
    ("DELETE", f"{MAPS}/a", 'configmaps "a"', "delete", "configmaps", "", IN_DEFAULT),
    ("DELETE", MAPS, "configmaps", "deletecollection", "configmaps", "", IN_DEFAULT),
    ("GET", "/api/v1/configmaps", "configmaps", "list", "configmaps", "", OF_CLUSTER),
    ("GET", "/api/v1/nodes/n", 'nodes "n"', "get", "nodes", "", OF_CLUSTER),
    ("GET", "/api/v1/namespaces/n", 'namespaces "n"', "get", "namespaces", "", 'in the namespace "n"'),
    ("GET", "/api/v1/namespaces/default/pods/p/log", 'pods "p"', "get", "pods/log", "", IN_DEFAULT),
    ("POST", "/api/v1/namespaces/default/pods/p/eviction", 'pods "p"', "create", "pods/eviction", "", IN_DEFAULT),
    (
        "GET",
        "/apis/apps/v1/namespaces/default/deployments/d/scale",
        'deployments.apps "d"',
        "get",
        "deployments/scale",
        "apps",
        IN_DEFAULT,
    ),
    (
        "GET",
        "/apis/none.example.com/v1/things",
        "things.none.example.com",
        "list",
        "things",
        "none.example.com",
        OF_CLUSTER,
    ),
]


@pytest.mark.parametrize(("method", "path", "what", "verb", "resource", "group", "where"), DENIALS)
async def test_a_denial_names_user_verb_resource_and_place(rbac, method, path, what, verb, resource, group, where):
    refused = await as_bob(rbac, method, path, {} if method in ("POST", "PUT", "PATCH") else None)

    why = f'User "bob" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    assert refused.failure == (403, "Forbidden", f"{what} is forbidden: {why}")
    plural, _, name = what.partition(" ")
    details = {"name": name.strip('"'), "group": group, "kind": plural.partition(".")[0]}
    assert refused.body["details"] == {key: value for key, value in details.items() if value}


@pytest.mark.parametrize(("method", "verb"), [("GET", "get"), ("POST", "post"), ("PUT", "put"), ("DELETE", "delete")])
async def test_a_denial_of_a_path_names_the_path(rbac, method, verb):
    refused = await as_bob(rbac, method, "/some/path", {} if method in ("POST", "PUT") else None)

    assert refused.failure == (403, "Forbidden", f'forbidden: User "bob" cannot {verb} path "/some/path"')
    assert refused.body["details"] == {}


VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]


@pytest.mark.parametrize("granted", [*VERBS, "*"])
async def test_a_verb_allows_itself_and_a_star_allows_each(rbac, grant, granted):
    await grant(rule(["configmaps"], [granted]))

    allowed = [verb for verb in VERBS if await may(rbac, verb, "configmaps")]

    assert allowed == (VERBS if granted == "*" else [granted])


@pytest.mark.parametrize(
    ("resources", "allowed"),
    [
        (["pods"], ["pods"]),
        (["pods/log"], ["pods/log"]),
        (["pods/*"], []),
        (["*/log"], ["pods/log"]),
        (["*/scale"], ["deployments/scale"]),
        (["*"], ["pods", "pods/log", "deployments/scale"]),
        (["pods", "pods/log"], ["pods", "pods/log"]),
    ],
)
async def test_a_resource_is_without_its_subresources(rbac, grant, resources, allowed):
    """A star covers all; `*/sub` covers that subresource of all; `pods/*` is a name like another."""
    await grant(rule(resources, ["get"], groups=["*"]))

    found = [each for each in ("pods", "pods/log", "deployments/scale") if await may(rbac, "get", each)]

    assert found == allowed


@pytest.mark.parametrize(
    ("groups", "allowed"),
    [([""], [""]), (["apps"], ["apps"]), (["*"], ["", "apps"]), (["app"], []), (["", "apps"], ["", "apps"])],
)
async def test_a_rule_is_of_its_groups(rbac, grant, groups, allowed):
    await grant(rule(["things"], ["get"], groups=groups))

    assert [group for group in ("", "apps") if await may(rbac, "get", "things", group=group)] == allowed


async def test_names_limit_a_rule_and_allow_nothing_that_has_no_name(rbac, grant):
    await grant(rule(["configmaps"], ["*"], names=["mine"]))
    for name in ("mine", "other"):
        await rbac.configmap(name)

    assert (await as_bob(rbac, "GET", f"{rbac.configmaps}/mine")).status == 200
    assert (await as_bob(rbac, "GET", f"{rbac.configmaps}/other")).status == 403
    assert (await as_bob(rbac, "GET", rbac.configmaps)).status == 403
    assert (await as_bob(rbac, "POST", rbac.configmaps, {"metadata": {"name": "mine"}})).status == 403
    assert (await as_bob(rbac, "DELETE", rbac.configmaps)).status == 403
    listed = await as_bob(rbac, "GET", f"{rbac.configmaps}?fieldSelector=metadata.name%3Dmine")
    assert listed.names == ["mine"]
    refused = await as_bob(rbac, "GET", f"{rbac.configmaps}?fieldSelector=metadata.name%3Dother")
    assert refused.body["details"] == {"name": "other", "kind": "configmaps"}


async def test_the_right_to_patch_applies_only_what_exists(rbac, grant):
    await grant(rule(["configmaps"], ["patch"]))
    await rbac.configmap("there")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there"}, "data": {"k": "v"}}
    how = {"content_type": "application/apply-patch+yaml"}

    assert (await as_bob(rbac, "PATCH", f"{rbac.configmaps}/there?fieldManager=m", body, **how)).status == 200
    body["metadata"]["name"] = "new"
    refused = await as_bob(rbac, "PATCH", f"{rbac.configmaps}/new?fieldManager=m", body, **how)

    assert refused.failure == (403, "Forbidden", 'configmaps "new" is forbidden: ')
    assert (await rbac.get(f"{rbac.configmaps}/new")).status == 404
    await grant(rule(["configmaps"], ["create"]))
    assert (await as_bob(rbac, "PATCH", f"{rbac.configmaps}/new?fieldManager=m", body, **how)).status == 201


async def test_the_right_to_update_replaces_only_what_exists(rbac, grant):
    await grant(rule(["leases"], ["update"], groups=["coordination.k8s.io"]))
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/new"

    refused = await as_bob(rbac, "PUT", path, {"metadata": {"name": "new"}, "spec": {}})

    assert refused.status == 403
    await grant(rule(["leases"], ["create"], groups=["coordination.k8s.io"]))
    assert (await as_bob(rbac, "PUT", path, {"metadata": {"name": "new"}, "spec": {}})).status == 201


async def test_a_role_is_of_its_namespace_and_a_cluster_role_of_where_it_is_bound(rbac, grant):
    await rbac.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    await grant(rule(["configmaps"], ["get"]))
    await grant(rule(["secrets"], ["get"]), binding_of_cluster_role=True)
    await grant(rule(["services", "nodes"], ["get"]), cluster=True)

    places = ("default", "other", "")
    assert [await may(rbac, "get", "configmaps", namespace=place) for place in places] == [True, False, False]
    assert [await may(rbac, "get", "secrets", namespace=place) for place in places] == [True, False, False]
    assert [await may(rbac, "get", "services", namespace=place) for place in places] == [True, True, True]


@pytest.mark.parametrize(
    ("subject", "user", "groups", "allowed"),
    [
        ({"kind": "Group", "apiGroup": GROUP, "name": "devs"}, "eve", ["devs"], True),
        ({"kind": "Group", "apiGroup": GROUP, "name": "devs"}, "devs", ["ops"], False),
        ({"kind": "User", "apiGroup": GROUP, "name": "eve"}, "eve", [], True),
        ({"kind": "User", "apiGroup": GROUP, "name": "eve"}, "Eve", [], False),
        ({"kind": "User", "apiGroup": GROUP, "name": "*"}, "eve", [], False),
        (
            {"kind": "ServiceAccount", "name": "bot", "namespace": "default"},
            "system:serviceaccount:default:bot",
            [],
            True,
        ),
        (
            {"kind": "ServiceAccount", "name": "bot", "namespace": "other"},
            "system:serviceaccount:default:bot",
            [],
            False,
        ),
    ],
)
async def test_a_subject_is_a_user_a_group_or_a_service_account(rbac, grant, subject, user, groups, allowed):
    await grant(rule(["configmaps"], ["get"]), subjects=[subject])

    assert await may(rbac, "get", "configmaps", user=user, groups=groups) is allowed


@pytest.mark.parametrize(
    ("urls", "path", "allowed"),
    [
        (["/metrics"], "/metrics", True),
        (["/metrics"], "/metrics/", False),
        (["/metrics"], "/metrics/a", False),
        (["/metrics/*"], "/metrics/a/b", True),
        (["/metrics/*"], "/metrics", False),
        (["/metrics*"], "/metricsandmore", True),
        (["*"], "/anything", True),
    ],
)
async def test_a_path_that_names_no_resource_is_allowed_by_its_url(rbac, grant, urls, path, allowed):
    await grant({"nonResourceURLs": urls, "verbs": ["get"]}, cluster=True)

    spec = {"user": "bob", "nonResourceAttributes": {"path": path, "verb": "get"}}
    review = await rbac.post(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
    assert review.body["status"]["allowed"] is allowed
    assert ((await as_bob(rbac, "GET", path)).status == 403) is not allowed
    assert (await as_bob(rbac, "POST", path, {})).status == 403


async def test_every_known_user_may_discover_and_review_their_own_rights(rbac):
    for path in (
        "/api",
        "/apis",
        "/api/v1",
        "/apis/apps/v1",
        "/version",
        "/healthz",
        "/livez",
        "/readyz",
        "/openapi/v3",
    ):
        assert (await as_bob(rbac, "GET", path)).status == 200, path
    for review in ("selfsubjectaccessreviews", "selfsubjectrulesreviews"):
        spec = (
            {"namespace": "default"} if "rules" in review else {"nonResourceAttributes": {"path": "/", "verb": "get"}}
        )
        assert (await as_bob(rbac, "POST", f"{REVIEWS}/{review}", {"spec": spec})).status == 201
    refused = await as_bob(rbac, "POST", f"{REVIEWS}/subjectaccessreviews", {"spec": {"user": "x"}})
    assert refused.status == 403


async def test_a_removed_binding_or_role_allows_nothing_any_more(rbac, grant):
    await grant(rule(["configmaps"], ["get"]))
    assert await may(rbac, "get", "configmaps")

    await rbac.patch("merge", f"{HERE}/roles/r1", {"rules": [rule(["secrets"], ["get"])]})
    assert (await may(rbac, "get", "configmaps"), await may(rbac, "get", "secrets")) == (False, True)
    await rbac.delete(f"{HERE}/rolebindings/b1")
    assert not await may(rbac, "get", "secrets")


# Roles and bindings as objects


@pytest.mark.parametrize(
    ("rules", "causes"),
    [
        (
            [{"apiGroups": [""], "resources": ["pods"], "verbs": []}],
            [("rules[0].verbs", "Required value: verbs must contain at least one value")],
        ),
        (
            [{"verbs": ["get"]}],
            [
                ("rules[0].apiGroups", "Required value: resource rules must supply at least one api group"),
                ("rules[0].resources", "Required value: resource rules must supply at least one resource"),
            ],
        ),
        (
            [{"nonResourceURLs": ["/x"], "verbs": ["get"]}],
            [("rules[0].nonResourceURLs", 'Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs')],
        ),
    ],
)
async def test_a_rule_is_whole(rbac, rules, causes):
    refused = await rbac.post(f"{HERE}/roles", {"metadata": {"name": "r"}, "rules": rules})

    assert (refused.status, refused.causes) == (422, causes)


async def test_a_cluster_rule_is_of_resources_or_of_urls(rbac):
    both = {"nonResourceURLs": ["/metrics"], **rule(["pods"], ["get"])}

    refused = await rbac.post(f"{RBAC}/clusterroles", {"metadata": {"name": "r"}, "rules": [both]})

    message = 'Invalid value: ["/metrics"]: rules cannot apply to both regular resources and non-resource URLs'
    assert refused.causes == [("rules[0].nonResourceURLs", message)]


@pytest.mark.parametrize(
    ("reference", "subjects", "causes"),
    [
        (
            {"apiGroup": "", "kind": "Thing", "name": "x"},
            [],
            [("roleRef.kind", 'Unsupported value: "Thing": supported values: "Role", "ClusterRole"')],
        ),
        ({"apiGroup": GROUP, "kind": "Role", "name": ""}, [], [("roleRef.name", "Required value")]),
        (
            {"apiGroup": GROUP, "kind": "Role", "name": "x"},
            [{"kind": "Robot", "name": "y"}],
            [("subjects[0].kind", 'Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"')],
        ),
        (
            {"apiGroup": GROUP, "kind": "Role", "name": "x"},
            [{"kind": "User", "name": ""}],
            [("subjects[0].name", "Required value")],
        ),
    ],
)
async def test_a_binding_names_a_role_and_subjects(rbac, reference, subjects, causes):
    body = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": subjects}

    refused = await rbac.post(f"{HERE}/rolebindings", body)

    assert (refused.status, refused.causes) == (422, causes)


async def test_a_binding_keeps_its_role(rbac, grant):
    await grant(rule(["configmaps"], ["get"]))

    refused = await rbac.patch("merge", f"{HERE}/rolebindings/b1", {"roleRef": {"name": "other"}})

    shown = json.dumps({"APIGroup": GROUP, "Kind": "Role", "Name": "other"}, separators=(",", ":"))
    assert refused.causes == [("roleRef", f"Invalid value: {shown}: cannot change roleRef")]


async def test_names_of_roles_are_path_segments(rbac):
    assert (await rbac.post(f"{HERE}/roles", {"metadata": {"name": "a:B_c"}, "rules": []})).status == 201
    for name, message in (("a/b", "may not contain '/'"), ("a%b", "may not contain '%'"), ("..", "may not be '..'")):
        refused = await rbac.post(f"{HERE}/roles", {"metadata": {"name": name}, "rules": []})
        assert refused.causes == [("metadata.name", f'Invalid value: "{name}": {message}')]


# Aggregation


async def test_an_aggregated_role_has_the_rules_of_those_that_it_selects(rbac):
    selectors = [{"matchLabels": {"to-all": "true"}}]
    body = {"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": []}
    made = await rbac.create(f"{RBAC}/clusterroles", body)

    assert made["aggregationRule"] == {"clusterRoleSelectors": selectors}
    wrong = {"metadata": {"name": "none"}, "aggregationRule": {"clusterRoleSelectors": []}, "rules": []}
    refused = await rbac.post(f"{RBAC}/clusterroles", wrong)
    assert refused.causes == [
        (
            "aggregationRule.clusterRoleSelectors",
            "Required value: at least one clusterRoleSelector required if aggregationRule is non-nil",
        )
    ]


async def test_the_roles_of_every_cluster_are_there(rbac):
    names = (await rbac.get(f"{RBAC}/clusterroles")).names

    assert {"cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user"} <= set(names)
    admin = (await rbac.get(f"{RBAC}/clusterroles/cluster-admin")).body
    assert admin["rules"] == [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]
    view = (await rbac.get(f"{RBAC}/clusterroles/view")).body
    assert not any("secrets" in each.get("resources", ()) for each in view["rules"])
    assert {verb for each in view["rules"] for verb in each["verbs"]} == {"get", "list", "watch"}


# Escalation


MANAGE = rule(["roles", "rolebindings"], ["create", "update", "patch", "get"], groups=[GROUP])


async def test_who_writes_a_role_has_its_rules(rbac, grant):
    await grant(MANAGE, rule(["configmaps"], ["get", "list"]))

    narrower = {"metadata": {"name": "n"}, "rules": [rule(["configmaps"], ["get"], names=["a"])]}
    assert (await as_bob(rbac, "POST", f"{HERE}/roles", narrower)).status == 201
    wider = {"metadata": {"name": "w"}, "rules": [rule(["secrets"], ["get", "list"])]}
    refused = await as_bob(rbac, "POST", f"{HERE}/roles", wider)

    assert refused.failure == (
        403,
        "Forbidden",
        'roles.rbac.authorization.k8s.io "w" is forbidden: user "bob" (groups=["system:authenticated"]) is attempting '
        'to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    )
    assert refused.body["details"] == {"name": "w", "group": GROUP, "kind": "roles"}


@pytest.mark.parametrize(
    ("held", "asked", "allowed"),
    [
        (rule(["*"], ["*"], groups=["*"]), rule(["secrets"], ["get"]), True),
        (rule(["secrets"], ["*"]), rule(["secrets"], ["get", "delete"]), True),
        (rule(["secrets"], ["get"]), rule(["secrets"], ["*"]), False),
        (rule(["secrets"], ["get"], names=["a"]), rule(["secrets"], ["get"]), False),
        (rule(["secrets"], ["get"], names=["a", "b"]), rule(["secrets"], ["get"], names=["b"]), True),
        (rule(["*"], ["get"]), rule(["secrets"], ["get"]), True),
        (rule(["*"], ["get"]), rule(["secrets"], ["get"], groups=["apps"]), False),
        (rule(["pods"], ["get"]), rule(["pods/log"], ["get"]), False),
        (rule(["*/log"], ["get"]), rule(["pods/log"], ["get"]), True),
    ],
)
async def test_a_rule_is_covered_by_one_that_holds_all_of_it(rbac, grant, held, asked, allowed):
    await grant(MANAGE, held)

    response = await as_bob(rbac, "POST", f"{HERE}/roles", {"metadata": {"name": "n"}, "rules": [asked]})

    assert response.status == (201 if allowed else 403)


async def test_rules_may_be_covered_by_several_together(rbac, grant):
    await grant(MANAGE, rule(["secrets"], ["get"]), rule(["secrets"], ["list"]), rule(["pods"], ["get"]))

    both = {
        "metadata": {"name": "n"},
        "rules": [rule(["secrets", "pods"], ["get"]), rule(["secrets"], ["get", "list"])],
    }

    assert (await as_bob(rbac, "POST", f"{HERE}/roles", both)).status == 201


async def test_an_update_of_a_role_is_checked_and_one_of_its_annotations_is_not_stopped_by_what_it_had(rbac, grant):
    await grant(MANAGE)
    await rbac.create(f"{HERE}/roles", {"metadata": {"name": "big"}, "rules": [rule(["secrets"], ["get"])]})
    how = {"content_type": "application/merge-patch+json"}

    more = await as_bob(rbac, "PATCH", f"{HERE}/roles/big", {"rules": [rule(["pods"], ["get"])]}, **how)
    assert more.status == 403
    none = await as_bob(rbac, "PATCH", f"{HERE}/roles/big", {"rules": []}, **how)
    assert none.status == 200


async def test_to_bind_a_role_is_to_hold_it_or_to_be_allowed_to_bind_it(rbac, grant):
    await grant(MANAGE)
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
    body = {"metadata": {"name": "top"}, "roleRef": reference, "subjects": []}

    refused = await as_bob(rbac, "POST", f"{HERE}/rolebindings", body)
    assert refused.message.startswith('rolebindings.rbac.authorization.k8s.io "top" is forbidden: user "bob"')
    assert refused.message.endswith(
        '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}'
    )
    missing = {**body, "roleRef": {**reference, "kind": "Role", "name": "none"}}
    assert (await as_bob(rbac, "POST", f"{HERE}/rolebindings", missing)).status == 404

    await grant(rule(["clusterroles"], ["bind"], groups=[GROUP], names=["cluster-admin"]))
    assert (await as_bob(rbac, "POST", f"{HERE}/rolebindings", body)).status == 201


async def test_who_may_escalate_grants_what_they_do_not_hold(rbac, grant):
    await grant(MANAGE, rule(["roles"], ["escalate"], groups=[GROUP]))

    anything = {"metadata": {"name": "n"}, "rules": [rule(["*"], ["*"], groups=["*"])]}

    assert (await as_bob(rbac, "POST", f"{HERE}/roles", anything)).status == 201


async def test_the_administrator_grants_anything(rbac):
    anything = {"metadata": {"name": "n"}, "rules": [rule(["*"], ["*"], groups=["*"])]}

    assert (await rbac.post(f"{HERE}/roles", anything)).status == 201


# Reviews


async def test_a_review_says_which_binding_allows(rbac, grant):
    await grant(rule(["configmaps"], ["list"]))
    await grant(rule(["nodes"], ["list"]), cluster=True, subjects=[{"kind": "Group", "apiGroup": GROUP, "name": "ops"}])

    async def status(spec):
        return (await rbac.post(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})).body["status"]

    here = {"namespace": "default", "verb": "list", "resource": "configmaps"}
    assert await status({"user": "bob", "resourceAttributes": here}) == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "b1/default" of Role "r1" to User "bob"',
    }
    assert await status({"user": "eve", "resourceAttributes": here}) == {"allowed": False}
    nodes = {"verb": "list", "resource": "nodes"}
    assert await status({"user": "eve", "groups": ["ops"], "resourceAttributes": nodes}) == {
        "allowed": True,
        "reason": 'RBAC: allowed by ClusterRoleBinding "b2" of ClusterRole "r2" to Group "ops"',
    }
    assert await status({"user": "x", "groups": ["system:masters"], "resourceAttributes": nodes}) == {"allowed": True}


BOTH = "cannot be specified in combination with resourceAttributes"
ONE = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


@pytest.mark.parametrize(
    ("review", "spec", "cause"),
    [
        ("selfsubjectaccessreviews", {}, ("spec.resourceAttributes", f"Invalid value: null: {ONE}")),
        (
            "selfsubjectaccessreviews",
            {"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"path": "/x", "verb": "get"}},
            ("spec.nonResourceAttributes", f'Invalid value: {{"Path":"/x","Verb":"get"}}: {BOTH}'),
        ),
        (
            "subjectaccessreviews",
            {"resourceAttributes": {"verb": "get", "resource": "pods"}},
            ("spec.user", 'Invalid value: "": at least one of user or group must be specified'),
        ),
    ],
)
async def test_a_review_asks_about_one_thing_of_someone(rbac, review, spec, cause):
    refused = await rbac.post(f"{REVIEWS}/{review}", {"spec": spec})

    assert (refused.status, refused.causes) == (422, [cause])


async def test_a_local_review_is_of_its_namespace(rbac, grant):
    await grant(rule(["pods"], ["get"]))
    path = f"{REVIEWS}/namespaces/default/localsubjectaccessreviews"
    spec = {"user": "bob", "resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}

    good = await rbac.post(path, {"metadata": {"namespace": "default"}, "spec": spec})
    assert good.body["status"]["allowed"] is True
    other = {**spec, "resourceAttributes": {**spec["resourceAttributes"], "namespace": "other"}}
    refused = await rbac.post(path, {"spec": other})
    assert refused.causes == [
        ("spec.resourceAttributes.namespace", 'Invalid value: "other": must match metadata.namespace')
    ]


async def test_a_review_of_rules_lists_those_of_the_namespace(rbac, grant):
    await grant(rule(["configmaps"], ["get", "list"]))
    await grant(rule(["secrets"], ["get"], names=["one"]))

    review = await as_bob(rbac, "POST", f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})

    status = review.body["status"]
    assert status["incomplete"] is False
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]} in status["resourceRules"]
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"]} in status[
        "resourceRules"
    ]
    assert any("/healthz" in each["nonResourceURLs"] for each in status["nonResourceRules"])
    elsewhere = await as_bob(rbac, "POST", f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": "other"}})
    assert not any("configmaps" in each["resources"] for each in elsewhere.body["status"]["resourceRules"])
    refused = await as_bob(rbac, "POST", f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {}})
    assert refused.failure == (400, "BadRequest", "no namespace on request")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_reviews_are_created_and_nothing_else(rbac, method):
    refused = await rbac.request(method, f"{REVIEWS}/selfsubjectaccessreviews", {} if method == "PUT" else None)

    assert refused.failure == (
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
