"""The reference page and the registry name the same metrics, with the same types and labels."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from zestor_controller.metrics import Metrics

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()


def registered() -> dict[str, tuple[str, str]]:
    metrics = Metrics()
    types = {family.name: family.type for family in metrics.registry.collect()}
    made = {}
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            name = value._name
            suffix = "_total" if types[name] == "counter" else ""
            made[name + suffix] = (types[name], ", ".join(value._labelnames) or "-")
    return made


def test_the_page_lists_every_registered_metric_and_no_other() -> None:
    listed = re.findall(r"(?m)^\| `(\w+)` \| (\w+) \| ([^|]+) \|", PAGE)
    assert {name: (type_, labels) for name, type_, labels in listed} == registered()
    assert len(listed) == len(registered())


def test_the_alerts_name_registered_metrics_only() -> None:
    alerts = re.search(r"```promql\n(.*?)```", PAGE, re.DOTALL)
    assert alerts is not None
    named = set(re.findall(r"zestor_\w+|workqueue_\w+|controller_runtime_\w+", alerts[1]))
    assert named
    assert named <= set(registered())
