"""Laws of the built-in strategies: no object, however odd, breaks them, and what they make is in canonical form."""

from __future__ import annotations

import copy
import json
import random
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin import resources
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

STORAGE = Storage()
RESOURCES = resources(STORAGE, TokenIssuer(STORAGE, time.time), random.Random(1))
TEMPLATE: Json = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "ports": [{"name": "http", "containerPort": 80, "hostPort": 80}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}},
                "livenessProbe": {"httpGet": {"port": "http"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    },
}
SEED: Json = {
    "metadata": {"name": "x", "namespace": "n", "labels": {"a": "b"}},
    "data": {"a": "AQ=="},
    "stringData": {"b": "c"},
    "involvedObject": {"kind": "Pod", "namespace": "n"},
    "regarding": {"kind": "Pod", "namespace": "n"},
    "eventTime": "2020-01-01T00:00:00.000000Z",
    "series": {"count": 2, "lastObservedTime": "2020-01-01T00:00:00.000000Z"},
    "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
    "roleRef": {"kind": "Role", "name": "r"},
    "subjects": [{"kind": "User", "name": "u"}],
    "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}],
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["192.0.2.1"]}],
    "ports": [{"port": 80}],
    "provisioner": "p",
    "spec": {
        **TEMPLATE["spec"],
        "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        "template": TEMPLATE,
        "type": "LoadBalancer",
        "ports": [{"port": 80, "nodePort": 30000, "name": "http"}],
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "jobTemplate": {"spec": {"template": TEMPLATE}},
        "schedule": "* * * * *",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}],
        "hard": {"pods": "1"},
        "taints": [{"key": "a", "effect": "NoSchedule"}],
        "minAvailable": "50%",
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}],
        "behavior": {"scaleUp": {}},
        "rules": [{"host": "a", "http": {"paths": [{"path": "/", "pathType": "Exact", "backend": {}}]}}],
        "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 80, "endPort": 90}]}],
    },
    "status": {
        "replicas": 1,
        "readyReplicas": 1,
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
ODD: list[Any] = [
    None, 0, -1, 1, 99999, 2**40, 1.5, True, False, "", "x", "None", "UPPER case", "1Gi", "150%", "-1", [], {}, [None],
    [{}], {"a": None}, {"a": "b"}, ["a", "a"], [[]], "2020-01-01T00:00:00Z", "ExternalName", "NodePort", "Recreate",
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in pairs for found in [(*path, key), *paths(inner, (*path, key))]]


@st.composite
def odd_objects(draw: st.DrawFn) -> Json:
    """The seed with up to three places made odd."""
    obj: Json = copy.deepcopy(SEED)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(obj)))
        holder: Any = obj
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not paths(obj):
            break
    return obj


@settings(max_examples=40, deadline=None)
@given(odd_objects())
def test_no_object_breaks_a_strategy_and_what_it_makes_is_canonical(odd: Json) -> None:
    for resource in RESOURCES:
        strategy = resource.strategy
        try:
            base, _ = strategy.decode(copy.deepcopy(SEED), "Ignore", ())
        except Failure:
            # Kinds that use a name of the seed in another shape (a selector that is a plain map) start from less.
            base, _ = strategy.decode({"metadata": copy.deepcopy(SEED["metadata"])}, "Ignore", ())
        strategy.default(base)
        now = WriteContext(User("u"), False, "2020-01-01T00:00:00Z")
        try:
            obj, _ = strategy.decode(copy.deepcopy(odd), "Ignore", ())
            strategy.default(obj)
            changed = copy.deepcopy(obj)
            strategy.prepare_for_create(now, obj)
            messages = [error.message() for error in strategy.validate_create(now, obj)]
            assert strategy.decode(json.loads(json.dumps(obj)), "Strict", ()) == (obj, [])
            for column in resource.columns:
                column.cell(obj, 0.0)
            for part in (strategy, *(sub.strategy for sub in resource.subresources.values() if sub.strategy)):
                new = copy.deepcopy(changed)
                part.prepare_for_update(now, new, copy.deepcopy(base))
                messages += [error.message() for error in part.validate_update(now, new, base)]
        except Failure as failure:
            messages = [failure.body["message"]]
        assert all(isinstance(message, str) for message in messages)
