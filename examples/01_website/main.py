"""A website is a ConfigMap with its HTML, a Deployment that serves it, and a Service in front."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from zestor_controller import Conditions, Context, Controller, CustomResource, Manager, Result, Spec, Status
from zestor_controller.objects import Column, Scale, set_condition


class WebsiteSpec(Spec):
    image: Annotated[str, Field(description="The web server's image.")] = "nginx:1.27"
    replicas: Annotated[int, Field(ge=0, le=50, description="How many web servers run.")] = 1
    content: Annotated[str, Field(description="The HTML of the start page.")] = "<h1>It works</h1>"


class WebsiteStatus(Status):
    ready_replicas: int = 0
    conditions: Conditions = []


class Website(
    CustomResource[WebsiteSpec, WebsiteStatus],
    group="demo.zestor.dev",
    version="v1",
    plural="websites",
    short_names=("web",),
    scale=Scale(".spec.replicas", ".status.readyReplicas"),
    columns=(
        Column("Replicas", ".spec.replicas", "integer"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Image", ".spec.image", priority=1),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
):
    """A static website, served by a Deployment."""


def child(site: Website, api_version: str, kind: str, **parts: Any) -> dict[str, Any]:
    metadata = {"name": site.metadata.name, "labels": {"app": site.metadata.name}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def deployment_for(site: Website) -> dict[str, Any]:
    labels = {"app": site.metadata.name}
    container = {
        "name": "web",
        "image": site.spec.image,
        "ports": [{"name": "http", "containerPort": 80}],
        "volumeMounts": [{"name": "html", "mountPath": "/usr/share/nginx/html"}],
    }
    volumes = [{"name": "html", "configMap": {"name": site.metadata.name}}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": volumes}}
    spec = {"replicas": site.spec.replicas, "selector": {"matchLabels": labels}, "template": template}
    return child(site, "apps/v1", "Deployment", spec=spec)


websites = Controller(Website).owns("apps/v1/Deployment").owns("v1/ConfigMap").owns("v1/Service")


@websites.reconciler
async def reconcile(site: Website, ctx: Context) -> Result | None:
    await ctx.apply(child(site, "v1", "ConfigMap", data={"index.html": site.spec.content}))
    deployment = await ctx.apply(deployment_for(site))
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    await ctx.apply(child(site, "v1", "Service", spec={"selector": {"app": site.metadata.name}, "ports": ports}))

    ready = deployment.get("status", {}).get("readyReplicas", 0)
    done = ready >= site.spec.replicas
    site.status.ready_replicas = ready
    message = f"{ready} of {site.spec.replicas} replicas are ready"
    reason, seen = ("Serving" if done else "Starting"), site.metadata.generation
    changed = set_condition(site.status.conditions, "Ready", done, reason, message, observed_generation=seen)
    if changed and done:
        ctx.event("Ready", message)
    await ctx.apply_status(site)
    return Result(requeue_after=timedelta(minutes=10))


manager = Manager(websites)

if __name__ == "__main__":
    raise SystemExit(manager.run())
