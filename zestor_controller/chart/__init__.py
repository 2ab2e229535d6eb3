"""Helm charts from an operator's code."""

from zestor_controller.chart.folder import check_chart, init_chart, lint_chart, sync_chart
from zestor_controller.chart.render import chart_name, render

__all__ = [
    "chart_name",
    "check_chart",
    "init_chart",
    "lint_chart",
    "render",
    "sync_chart",
]
