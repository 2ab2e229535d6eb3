"""The store against a dict: any sequence of operations, watched by consumers of every policy and pace."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from zestor_controller.errors import WatchOverflow
from zestor_controller.store import Change, EventType, MemoryStore, Overflow, Tombstone

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
VALUES = st.integers(min_value=0, max_value=5)
MAPPINGS = st.dictionaries(NAMES, VALUES, max_size=5)


def everything(event):
    return True


def even(event):
    return event.object % 2 == 0


class Follower:
    """A consumer that replays its watch's events into a dict of its own."""

    def __init__(self, kind, overflow, predicate, names, size):
        self.overflow = overflow
        self.predicate = predicate
        self.names = names
        self.shadow = {}
        self.gap = False  # DROP counted a gap, or CLOSE ended the watch
        self.received = 0
        self.watch = kind.watch(
            overflow=overflow,
            predicate=None if predicate is everything else predicate,
            names=names,
            buffer_size=size,
            initial_replay=True,
            bookmarks=True,
        )
        self.synced = False

    def see(self, event):
        self.received += 1
        self.gap = self.gap or event.missed > 0
        if event.type is EventType.SYNCED:
            assert not self.synced
            self.synced = True
            return
        assert self.names is None or event.name in self.names
        assert self.predicate(event)
        if not self.gap and self.predicate is everything:
            # A consumer that has missed nothing knows exactly what is there.
            present = event.name in self.shadow
            assert present == (event.type is not EventType.CREATE)
            assert event.old == self.shadow.get(event.name)
        if event.type is EventType.DELETE:
            self.shadow.pop(event.name, None)
        else:
            if self.overflow is Overflow.COALESCE and event.type is EventType.UPDATE:
                # Also with a predicate, `old` is what this consumer saw last. (A CREATE may meet a name that it knows:
                # the predicate refused the DELETE of an object that had left its view.)
                assert event.old == self.shadow[event.name]
            self.shadow[event.name] = event.object

    def take(self, count):
        try:
            for _ in range(count):
                event = self.watch.get(timeout=0)
                if event is None:
                    return
                self.see(event)
        except WatchOverflow:
            self.gap = True

    def drain(self):
        try:
            while events := self.watch.drain():
                for event in events:
                    self.see(event)
        except WatchOverflow:
            self.gap = True


class StoreMachine(RuleBasedStateMachine):
    followers = Bundle("followers")

    @initialize()
    def open(self):
        self.store = MemoryStore()
        self.kind = self.store.kind("numbers", int, indexes={"parity": lambda value: [value % 2]})
        self.model = {}
        self.all = []

    @rule(
        target=followers,
        overflow=st.sampled_from(Overflow),
        predicate=st.sampled_from([everything, even]),
        names=st.sampled_from([None, frozenset({"a", "b"})]),
        size=st.sampled_from([1, 2, 100]),
    )
    def follow(self, overflow, predicate, names, size):
        # A predicate on values hides the DELETE of an object that left its view, so a shadow cannot follow it exactly;
        # such watches are compared by the events they do deliver.
        follower = Follower(self.kind, overflow, predicate, names, size)
        self.all.append(follower)
        return follower

    @rule(name=NAMES, value=VALUES)
    def set(self, name, value):
        before = self.model.get(name)
        expected = Change.CREATED if before is None else Change.UNCHANGED if before == value else Change.UPDATED
        assert self.kind.set(name, value) is expected
        self.model[name] = value

    @rule(name=NAMES)
    def delete(self, name):
        assert self.kind.delete(name) == self.model.pop(name, None)

    @rule(name=NAMES)
    def update(self, name):
        self.kind.update(name, lambda value: None if value is None else value + 1)
        if name in self.model:
            self.model[name] += 1

    @rule(values=MAPPINGS)
    def set_many(self, values):
        assert set(self.kind.set_many(values)) == {n for n, v in values.items() if self.model.get(n) != v}
        self.model.update(values)

    @rule(values=MAPPINGS)
    def replace(self, values):
        changed = {n for n in {*values, *self.model} if self.model.get(n) != values.get(n)}
        assert set(self.kind.replace(values)) == changed
        self.model = dict(values)

    @rule(values=MAPPINGS)
    def stage(self, values):
        with self.kind.stage() as stage:
            for name, value in values.items():
                stage.put(name, value)
        assert stage.changed == len([n for n in {*values, *self.model} if self.model.get(n) != values.get(n)])
        self.model = dict(values)

    @rule(changes=st.lists(st.tuples(NAMES, st.one_of(st.none(), VALUES)), max_size=6), bury=st.booleans())
    def apply(self, changes, bury):
        model, changed = self.model, 0
        written = []
        for name, value in changes:
            if value is None:
                changed += model.pop(name, None) is not None
                written.append((name, Tombstone(6) if bury else None))  # 6 is even: it passes every filter
            else:
                changed += model.get(name) != value
                model[name] = value
                written.append((name, value))
        assert self.kind.encoded.apply(written) == changed

    @rule(follower=followers, count=st.integers(min_value=1, max_value=4))
    def take(self, follower, count):
        follower.take(count)

    @rule(follower=followers)
    def drain(self, follower):
        follower.drain()

    @rule(follower=followers)
    def cancel(self, follower):
        follower.watch.cancel()
        follower.drain()
        follower.gap = True

    @invariant()
    def the_kind_equals_the_model(self):
        assert dict(self.kind.items()) == self.model
        assert self.kind.count() == len(self.model)
        for parity in (0, 1):
            assert sorted(self.kind.by_index("parity", parity)) == sorted(
                value for value in self.model.values() if value % 2 == parity
            )

    def teardown(self):
        for follower in self.all:
            follower.drain()
            names = follower.names
            expected = {n: v for n, v in self.model.items() if names is None or n in names}
            if not follower.gap:
                assert follower.synced
                if follower.predicate is everything:
                    assert follower.shadow == expected
                else:
                    kept = {n: v for n, v in expected.items() if v % 2 == 0}
                    assert {n: v for n, v in follower.shadow.items() if n in kept} == kept
            if follower.overflow is not Overflow.DROP:
                assert follower.watch.dropped == 0
            follower.watch.cancel()
        self.store.close()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
