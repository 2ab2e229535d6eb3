"""What a store's kinds give, and the side of their writers."""

from dataclasses import dataclass
from typing import assert_type

from zestor_controller.store import Change, Event, MemoryStore, Overflow, StoreKind, Watch


@dataclass
class User:
    name: str
    team: str = ""


users = MemoryStore().kind("users", User, indexes={"team": lambda user: [user.team]})
assert_type(users.set("a", User("a")), Change)
assert_type(users.get("a"), User | None)
assert_type(users.list(lambda user: user.team == "red"), list[User])
assert_type(users.by_index("team", "red"), list[User])
assert_type(users.items(), list[tuple[str, User]])
assert_type(users.encoded.count(), int)
assert_type(users.encoded.names(), list[str])
kind: StoreKind[User] = users
assert_type(kind.watch(), Watch[User])
with users.watch(predicate=lambda event: event.object.team, overflow=Overflow.COALESCE) as watch:
    for event in watch:
        assert_type(event, Event[User])
        assert_type(event.object, User)
users.set("a", 5)  # error
users.watch(predicate=lambda event: event.object.teams)  # error
users.watch(replay=True)  # error
