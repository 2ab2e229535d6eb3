"""Spans of reconciles, with OpenTelemetry's own SDK."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from operating import Shop, operating, virtual

from zestor_controller import Context, Controller


@virtual
async def test_each_reconcile_is_a_span_that_says_of_what_and_why_and_holds_what_went_wrong() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)  # once in a process: the API allows no second
    shops = Controller(Shop)
    failures = iter([True])

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        with trace.get_tracer("the user's").start_as_current_span("inner"):
            if next(failures, False):
                raise ValueError("no milk")

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": 1})
        await op.until(lambda: len(exporter.get_finished_spans()) == 4)
    inner, failed, _, worked = exporter.get_finished_spans()
    assert failed.name == worked.name == f"reconcile {shops.name}"
    assert inner.parent is not None
    assert inner.parent.span_id == failed.context.span_id
    assert failed.attributes is not None
    assert failed.attributes["zestor.object.name"] == "a"
    assert failed.attributes["k8s.namespace.name"] == "default"
    assert failed.attributes["zestor.causes"] == ("create shops.demo.example.org default/a",)
    assert not failed.status.is_ok
    assert failed.events[0].name == "exception"
    assert worked.status.is_ok
    assert worked.attributes is not None
    assert worked.attributes["zestor.causes"] == ("retry after an error",)
