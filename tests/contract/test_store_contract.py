"""MemoryStore passes the conformance suite that every backend runs (S14)."""

from zestor_controller.store import MemoryStore, Store
from zestor_controller.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self) -> Store:
        return MemoryStore()
