"""The client: the only package that speaks HTTP to a server."""

from zestor_controller.client.aiohttptransport import AiohttpTransport
from zestor_controller.client.blockingclient import BlockingClient
from zestor_controller.client.client import Client
from zestor_controller.client.config import load_config, static_config
from zestor_controller.client.credentials import ClusterConfig
from zestor_controller.client.decoder import ObjectList
from zestor_controller.client.discovery import ServedResource, served_resources
from zestor_controller.client.gate import WriteGate
from zestor_controller.client.middleware import TransportDecorator
from zestor_controller.client.options import (
    ApplyOptions,
    DeletionOptions,
    ListOptions,
    OwnerOptions,
    PatchOptions,
    WriteOptions,
)
from zestor_controller.client.request import ApiRequest
from zestor_controller.client.retry import retry_on_conflict
from zestor_controller.client.transport import MemoryTransport, Stream, Transport
from zestor_controller.client.watch import ServerWatch, WatchEvent

__all__ = [
    "AiohttpTransport",
    "ApiRequest",
    "ApplyOptions",
    "BlockingClient",
    "Client",
    "ClusterConfig",
    "DeletionOptions",
    "ListOptions",
    "MemoryTransport",
    "ObjectList",
    "OwnerOptions",
    "PatchOptions",
    "ServedResource",
    "ServerWatch",
    "Stream",
    "Transport",
    "TransportDecorator",
    "WatchEvent",
    "WriteGate",
    "WriteOptions",
    "load_config",
    "retry_on_conflict",
    "served_resources",
    "static_config",
]
