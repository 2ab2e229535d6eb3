"""The client: the only room that speaks HTTP to a server."""

from zestor_controller.client.blocking import BlockingClient
from zestor_controller.client.client import Client, ObjectList
from zestor_controller.client.config import load_config, static_config
from zestor_controller.client.credentials import ClusterConfig
from zestor_controller.client.discovery import ServedResource, served_resources
from zestor_controller.client.transport import AiohttpTransport, MemoryTransport, Stream, Transport
from zestor_controller.client.watch import WatchEvent

__all__ = [
    "AiohttpTransport",
    "BlockingClient",
    "Client",
    "ClusterConfig",
    "MemoryTransport",
    "ObjectList",
    "ServedResource",
    "Stream",
    "Transport",
    "WatchEvent",
    "load_config",
    "served_resources",
    "static_config",
]
