"""Accept headers, and answers in the form that was negotiated."""

import gzip
import json

import pytest

from zestor_controller.apiserver.response import negotiation
from zestor_controller.apiserver.response.negotiation import PLAIN, Output, negotiate
from zestor_controller.apiserver.rest import status
from zestor_controller.apiserver.rest.wireprofile import UNSTRUCTURED
from zestor_controller.http import HttpRequest


def asking(accept=None, query=(), **headers):
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept is not None:
        found["accept"] = accept
    return HttpRequest("GET", "/", list(query), found)


CHOSEN = {
    None: PLAIN,
    "*/*": PLAIN,
    "application/json": PLAIN,
    "application/vnd.kubernetes.protobuf,application/json": PLAIN,
    "application/xml, application/json;q=0.5": PLAIN,
    "application/json;stream=watch": PLAIN,
    "application/yaml": Output("application/yaml"),
    "application/json;q=0.2, application/yaml": Output("application/yaml"),
    "*/*, application/yaml": Output("application/yaml"),
    "application/json;as=Table;v=v1;g=meta.k8s.io": Output(transform="Table", version="v1"),
    "application/json; g=meta.k8s.io; v=v1beta1; as=Table": Output(transform="Table", version="v1beta1"),
    "application/json;as=Foo;v=v1;g=meta.k8s.io, application/json": PLAIN,
    "application/json;as=Table;v=v9;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io": Output(
        transform="Table", version="v1"
    ),
}


@pytest.mark.parametrize(("accept", "output"), CHOSEN.items())
def test_the_best_acceptable_form_is_chosen(accept, output):
    assert negotiate(asking(accept)) == output


def test_plain_json_is_recognised_as_such_and_nothing_else_is():
    assert negotiate(asking("application/json")).plain
    assert not negotiate(asking("application/json", [("pretty", "true")])).plain
    assert not negotiate(asking("application/json;as=Table;v=v1;g=meta.k8s.io")).plain


def refusal(accept, **more):
    with pytest.raises(status.Failure) as raised:
        negotiate(asking(accept), **more)
    assert raised.value.code == 406
    return raised.value.body


def test_the_router_and_the_negotiation_refuse_in_their_own_words():
    routed = refusal("text/html")
    assert routed["message"].startswith("406: Not Acceptable\n\nAvailable representations: application/json, ")
    assert routed["details"] == {}
    assert "stream=watch" in refusal("application/*", listing=True)["message"]
    assert refusal("application/cbor", wire=UNSTRUCTURED)["message"] == (
        "only the following media types are accepted: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )
    assert "details" not in refusal("application/json;as=Foo;v=v1;g=meta.k8s.io")


def test_a_watch_is_json_only():
    assert negotiate(asking("application/json;stream=watch"), watching=True).plain
    assert refusal("application/yaml", watching=True)["message"] == (
        "only the following media types are accepted: "
        "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    )


def test_pretty_comes_from_the_query_or_from_the_looks_of_the_client():
    assert negotiate(asking(None, [("pretty", "1")])).pretty
    assert negotiate(asking(None, user_agent="curl/8.0")).pretty
    assert not negotiate(asking(None, [("pretty", "false")], user_agent="curl/8.0")).pretty
    assert negotiation.encode(Output(pretty=True), {"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}\n'


def test_large_answers_are_packed_only_when_asked_for():
    value = {"a": "x" * 200_000}
    packed = negotiation.respond(asking(accept_encoding="deflate, gzip;q=1.0"), PLAIN, 200, value)
    assert packed.header("content-encoding") == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == value
    assert negotiation.respond(asking(), PLAIN, 200, value).header("content-encoding") is None
    small = negotiation.respond(asking(accept_encoding="gzip"), PLAIN, 200, {"a": 1})
    assert (small.header("content-encoding"), small.body) == (None, b'{"a":1}\n')


def test_a_failure_is_told_in_the_form_that_the_client_reads():
    failure = status.not_found("", "configmaps", "zz")
    plain = negotiation.failure_response(asking("text/html"), failure)
    assert (plain.status, plain.header("content-type")) == (404, "application/json")
    assert json.loads(plain.body) == failure.body
    yaml = negotiation.failure_response(asking("application/yaml"), failure)
    assert yaml.header("content-type") == "application/yaml"
    assert yaml.body.startswith(b"apiVersion: v1\ncode: 404\n")
    packed = negotiation.failure_response(asking("application/vnd.kubernetes.protobuf"), failure)
    assert packed.body.startswith(b"k8s\x00")
    mixed = negotiation.failure_response(asking("application/vnd.kubernetes.protobuf,application/json"), failure)
    assert mixed.header("content-type") == "application/json"
