"""Who a request is of: bearer tokens, anonymous requests, service accounts and token reviews; and the audit of each."""

import json

import pytest

from zestor_controller.apiserver import ADMINISTRATOR, AuditLog

ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
AUDIENCE = "https://kubernetes.default.svc"


async def who(server, **headers):
    response = await server.post(ME, {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}, **headers)
    return response.body["status"]["userInfo"] if response.status == 201 else response.failure


async def token_of(server, name="bot", **spec):
    body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
    return await server.post(f"{ACCOUNTS}/{name}/token", body)


@pytest.mark.parametrize(
    "header",
    ["Bearer admin", "bearer admin", "BEARER admin", "Bearer  admin", "Bearer admin "],
)
async def test_the_scheme_of_a_token_has_any_case(server, header):
    user = await who(server, authorization=header)

    assert user == {"username": ADMINISTRATOR.name, "groups": ["system:masters", "system:authenticated"]}


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer ",
        "Bearer",
        "Basic YWRtaW46YWRtaW4=",
        "admin",
        "Bearer adm",
        "Bearer admin2",
        "Token admin",
    ],
)
@pytest.mark.parametrize("anonymous", [False, True])
async def test_a_token_that_is_not_known_is_unauthorized_and_never_anonymous(make_server, header, anonymous):
    server = make_server(anonymous=anonymous)

    refused = await server.get(server.configmaps, authorization=header)

    assert refused.failure == (401, "Unauthorized", "Unauthorized")
    assert refused.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


async def test_without_a_token_a_request_is_unauthorized_unless_anonymous_ones_are_allowed(rbac, make_server):
    assert (await rbac.get(rbac.configmaps, authorization=None)).status == 401

    rbac = make_server(rbac=True, anonymous=True)

    refused = await rbac.get(rbac.configmaps, authorization=None)
    assert refused.status == 403
    assert refused.message.startswith('configmaps is forbidden: User "system:anonymous" cannot list resource')
    assert (await rbac.get("/version", authorization=None)).status == 200
    assert (await rbac.get("/api", authorization=None)).status == 403
    assert await who(rbac, authorization=None) == (
        403,
        "Forbidden",
        'selfsubjectreviews.authentication.k8s.io is forbidden: User "system:anonymous" cannot create resource '
        '"selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope',
    )


async def test_every_path_asks_for_a_token(server):
    for path in ("/api", "/apis", "/version", "/healthz", "/openapi/v3", "/nosuch", server.configmaps):
        assert (await server.get(path, authorization=None)).status == 401, path


# Service accounts


@pytest.fixture
async def account(server):
    return await server.create(ACCOUNTS, {"metadata": {"name": "bot"}})


async def test_a_token_is_of_its_account(server, account):
    made = await token_of(server, expirationSeconds=3600)
    assert made.status == 201
    assert made.body["spec"] == {"audiences": [AUDIENCE], "expirationSeconds": 3600, "boundObjectRef": None}
    assert made.body["metadata"]["name"] == "bot"
    assert made.body["status"]["expirationTimestamp"] == "2027-01-15T09:00:00Z"

    user = await who(server, authorization=f"Bearer {made.body['status']['token']}")

    assert user["username"] == "system:serviceaccount:default:bot"
    assert user["uid"] == account["metadata"]["uid"]
    assert user["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]


async def test_a_token_ends_with_its_time_and_with_its_account(server, account):
    token = (await token_of(server, expirationSeconds=600)).body["status"]["token"]
    server.now += 599
    assert (await who(server, authorization=f"Bearer {token}"))["username"].endswith(":bot")

    server.now += 2
    assert (await who(server, authorization=f"Bearer {token}"))[0] == 401

    fresh = (await token_of(server)).body["status"]["token"]
    await server.delete(f"{ACCOUNTS}/bot")
    assert (await who(server, authorization=f"Bearer {fresh}"))[0] == 401
    await server.create(ACCOUNTS, {"metadata": {"name": "bot"}})
    assert (await who(server, authorization=f"Bearer {fresh}"))[0] == 401


async def test_a_token_for_another_audience_is_not_for_this_server(server, account):
    token = (await token_of(server, audiences=["vault"])).body["status"]["token"]

    assert (await who(server, authorization=f"Bearer {token}"))[0] == 401


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"expirationSeconds": 10}, "Invalid value: 10: may not specify a duration less than 10 minutes"),
        (
            {"expirationSeconds": 99999999999},
            "Invalid value: 99999999999: may not specify a duration larger than 2^32 seconds",
        ),
    ],
)
async def test_a_token_lasts_ten_minutes_at_least(server, account, spec, message):
    refused = await token_of(server, **spec)

    assert (refused.status, refused.causes) == (422, [("spec.expirationSeconds", message)])


@pytest.mark.parametrize(
    ("reference", "failure"),
    [
        ({"kind": "Pod", "apiVersion": "v1", "name": "none"}, (404, "NotFound", 'pods "none" not found')),
        (
            {"kind": "Thing", "apiVersion": "v1", "name": "x"},
            (400, "BadRequest", "cannot bind token to object of type /v1, Kind=Thing"),
        ),
    ],
)
async def test_a_token_is_bound_to_what_is_there(server, account, reference, failure):
    refused = await token_of(server, boundObjectRef=reference)

    assert refused.failure == failure


async def test_a_token_is_of_an_account_that_is_there(server):
    assert (await token_of(server, "none")).failure == (404, "NotFound", 'serviceaccounts "none" not found')
    refused = await server.get(f"{ACCOUNTS}/none/token")
    assert refused.failure[:2] == (405, "MethodNotAllowed")


# Reviews of tokens


async def review(server, **spec):
    body = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
    return await server.post(REVIEWS, body)


async def test_a_review_says_whose_a_token_is(server):
    status = (await review(server, token="weak")).body["status"]

    assert status == {
        "authenticated": True,
        "user": {"username": "weak", "groups": ["devs", "system:authenticated"]},
        "audiences": [AUDIENCE],
    }


@pytest.mark.parametrize("spec", [{"token": "garbage"}, {"token": "weak", "audiences": ["other"]}])
async def test_a_review_of_a_token_that_is_not_known_or_not_meant_is_an_error(server, spec):
    response = await review(server, **spec)

    assert response.status == 201
    assert response.body["status"] == {"user": {}, "error": "invalid bearer token"}


async def test_a_review_needs_a_token(server):
    refused = await review(server, token="")

    assert refused.failure == (400, "BadRequest", "token is required for TokenReview in authentication")


async def test_a_review_for_the_audience_of_a_token_knows_it(server, account):
    token = (await token_of(server, audiences=["vault", "other"])).body["status"]["token"]

    meant = (await review(server, token=token, audiences=["vault"])).body["status"]
    assert (meant["authenticated"], meant["audiences"]) == (True, ["vault"])
    assert meant["user"]["username"] == "system:serviceaccount:default:bot"
    assert "authenticated" not in (await review(server, token=token)).body["status"]


# Impersonation


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        ({"impersonate_user": "amy"}, {"username": "amy", "groups": ["system:authenticated"]}),
        (
            {
                "impersonate_user": "amy",
                "impersonate_group": "g1\ng2",
                "impersonate_uid": "u-1",
                "impersonate_extra_scopes": "view",
            },
            {
                "username": "amy",
                "uid": "u-1",
                "groups": ["g1", "g2", "system:authenticated"],
                "extra": {"scopes": ["view"]},
            },
        ),
        (
            {"impersonate_user": "system:serviceaccount:default:bot"},
            {
                "username": "system:serviceaccount:default:bot",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
            },
        ),
    ],
)
async def test_an_administrator_is_the_user_that_the_headers_name(rbac, headers, user):
    assert await who(rbac, **headers) == user


async def test_others_impersonate_by_permission(rbac):
    refused = await who(rbac, authorization="Bearer weak", impersonate_user="amy")

    assert refused == (
        403,
        "Forbidden",
        'selfsubjectreviews.authentication.k8s.io is forbidden: User "weak" cannot impersonate-on:user-info:create '
        'resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope',
    )


async def test_a_group_without_a_user_is_a_bad_request(rbac):
    refused = await who(rbac, impersonate_group="g1")

    assert refused == (
        400,
        "BadRequest",
        'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"g1"}, Extra:map[string][]string(nil)} '
        "without impersonating a user name",
    )


# Audit


async def test_each_request_of_a_known_user_is_recorded_once_with_its_outcome(make_server, tmp_path):
    log = AuditLog(tmp_path / "audit")
    server = make_server(rbac=True, audit=log)

    await server.configmap("a")
    await server.get(f"{server.configmaps}/a", authorization="Bearer weak")
    await server.get(f"{server.configmaps}/none", impersonate_user="amy")
    await server.delete(f"{server.configmaps}?labelSelector=x")
    await server.patch("merge", f"{server.deployments}/d/scale", {})
    await server.get("/version")
    stream = await server.watch(f"{server.configmaps}?watch=1")
    await stream.close()
    await server.get(server.configmaps, authorization="Bearer wrong")
    log.close()

    records = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    shown = [
        (each["user"], each["verb"], each["resource"], each["name"], each["subresource"], each["code"])
        for each in records
    ]
    admin = ADMINISTRATOR.name
    assert shown == [
        (admin, "create", "configmaps", "", "", 201),
        ("weak", "get", "configmaps", "a", "", 403),
        ("amy", "get", "configmaps", "none", "", 403),
        (admin, "deletecollection", "configmaps", "", "", 200),
        (admin, "patch", "deployments.apps", "d", "scale", 404),
        (admin, "get", "", "", "", 200),
        (admin, "watch", "configmaps", "", "", 200),
        ("", "list", "configmaps", "", "", 401),
    ]
    assert {each["namespace"] for each in records if each["resource"]} == {"default"}
