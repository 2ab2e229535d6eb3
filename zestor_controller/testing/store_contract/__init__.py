"""The store's promises as tests that any backend can run (S1 to S14).

Derive a class whose name starts with ``Test`` and say how a store is made; pytest does the rest::

    from zestor_controller.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self) -> Store:
            return MyStore()

Each test is named after the promise that it checks. They need pytest and no plugin: what needs an event loop runs one.
A backend that keeps values in another form than Python's objects passes when what it returns compares equal.
"""

from zestor_controller.testing.store_contract.buffers import Buffers
from zestor_controller.testing.store_contract.events import Events
from zestor_controller.testing.store_contract.fixtures import TeamMember
from zestor_controller.testing.store_contract.reads import Reads
from zestor_controller.testing.store_contract.threads import Threads
from zestor_controller.testing.store_contract.writes import Writes

__all__ = ["StoreContract", "TeamMember"]


class StoreContract(Events, Buffers, Threads, Writes, Reads):
    """Derive it, name the class ``Test...``, and implement :meth:`make_store`."""
