"""The client: the only room that speaks HTTP to a server."""

from zestor_controller.client.aiohttptransport import AiohttpTransport
from zestor_controller.client.blocking import BlockingClient
from zestor_controller.client.client import Client
from zestor_controller.client.config import load_config, static_config
from zestor_controller.client.credentials import ClusterConfig
from zestor_controller.client.decoder import ObjectList
from zestor_controller.client.discovery import ServedResource, served_resources
from zestor_controller.client.gate import WriteGate
from zestor_controller.client.retry import retry_on_conflict
from zestor_controller.client.transport import MemoryTransport, Stream, Transport
from zestor_controller.client.watch import ServerWatch, WatchEvent

__all__ = [
    "AiohttpTransport",
    "BlockingClient",
    "Client",
    "ClusterConfig",
    "MemoryTransport",
    "ObjectList",
    "ServedResource",
    "ServerWatch",
    "Stream",
    "Transport",
    "WatchEvent",
    "WriteGate",
    "load_config",
    "retry_on_conflict",
    "served_resources",
    "static_config",
]
