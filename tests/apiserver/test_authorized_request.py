"""What is authorized is what is executed: one parse of a request decides both (A6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, AUTHENTICATED, TokenAuthenticator
from zestor_controller.apiserver.rest.user import User
from zestor_controller.http import HttpRequest

SECRETS = "/api/v1/namespaces/default/secrets"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"


async def with_secrets() -> ApiServer:
    """Two Secrets, of which `weak` may list, watch and delete one, by its name."""
    weak = User("weak", groups=(AUTHENTICATED,))
    api = ApiServer(TokenAuthenticator({"a": ADMINISTRATOR, "w": weak}), rbac=True)
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["allowed"], "verbs": ["*"]}
    subject = {"kind": "User", "name": "weak", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    for path, body in (
        (f"{RBAC}/roles", {"metadata": {"name": "r"}, "rules": [rule]}),
        (f"{RBAC}/rolebindings", {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}),
        (SECRETS, {"metadata": {"name": "allowed"}}),
        (SECRETS, {"metadata": {"name": "hidden"}}),
    ):
        assert (await send(api, "POST", path, [], body, token="a"))[0] == 201
    return api


@pytest.fixture
async def api() -> ApiServer:
    return await with_secrets()


async def send(
    api: ApiServer, method: str, path: str, query: list[tuple[str, str]], body: Any = None, token: str = "w"
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    response = await api.handle(HttpRequest(method, path, query, headers, json.dumps(body).encode() if body else b""))
    if isinstance(response.body, bytes):
        return response.status, json.loads(response.body)
    line = json.loads(await anext(response.body))
    await response.body.aclose()  # type: ignore[attr-defined]
    return response.status, {"items": [line["object"]]}


@pytest.mark.parametrize(
    "selectors",
    [
        ["metadata.name=hidden", "metadata.name=allowed"],
        ["", "metadata.name=allowed"],
        ["metadata.name!=allowed"],
        ["metadata.name!=x,metadata.name!=allowed"],
        [" metadata.name=allowed"],
        ["metadata.name =allowed"],
        ["metadata.name= allowed"],
        ["metadata.name=allowed "],
        ["Metadata.Name=allowed"],
        [r"metadata.name=\allowed"],
        [r"metadata.name!=a\,metadata.name=allowed"],
        ["metadata.name=a=allowed"],
        ["metadata.namespace=default"],
        [],
    ],
)
@pytest.mark.parametrize("watch", [[], [("watch", "1")], [("watch", "0"), ("watch", "1")]])
async def test_a_name_that_the_selection_does_not_require_authorizes_nothing(
    api: ApiServer, selectors: list[str], watch: list[tuple[str, str]]
) -> None:
    query = [*watch, *(("fieldSelector", selector) for selector in selectors)]

    status, found = await send(api, "GET", SECRETS, query)

    assert status in (400, 403), found


@pytest.mark.parametrize("selector", ["metadata.name=allowed", "metadata.name==allowed", ",metadata.name=allowed,"])
@pytest.mark.parametrize("watch", [[], [("watch", "1"), ("watch", "0")]])
async def test_a6_what_a_selector_requires_is_authorized_and_selected(
    api: ApiServer, selector: str, watch: list[tuple[str, str]]
) -> None:
    query = [*watch, ("fieldSelector", selector), ("fieldSelector", "metadata.name=hidden")]

    status, found = await send(api, "GET", SECRETS, query)

    assert (status, [item["metadata"]["name"] for item in found["items"]]) == (200, ["allowed"])


async def test_a_deletecollection_is_authorized_for_all_names_or_not_at_all(api: ApiServer) -> None:
    status, _ = await send(api, "DELETE", SECRETS, [("fieldSelector", "metadata.name=allowed")])

    assert status == 403
    assert (await send(api, "GET", f"{SECRETS}/allowed", []))[0] == 200


@given(st.lists(st.text("=!,\\ metadata.nameallowedhidden%\n", max_size=30), max_size=3), st.booleans())
async def test_a6_no_spelling_of_a_selector_shows_an_object_that_is_not_authorized(
    selectors: list[str], prefixed: bool
) -> None:
    prefix = "metadata.name=allowed" if prefixed else "metadata.name="
    server = await with_secrets()
    status, found = await send(server, "GET", SECRETS, [("fieldSelector", prefix + selector) for selector in selectors])

    names = {item["metadata"]["name"] for item in found.get("items", ())}
    assert status != 200 or names <= {"allowed"}
