"""The reflector's state machine as a table: what happened, and what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.cache.sync import Ended, Failed, Listed, OlderList, Phase, step
from zestor_controller.cache.sync import SyncState as State
from zestor_controller.errors import (
    ApiError,
    Cause,
    Forbidden,
    Gone,
    NotFound,
    ServerError,
    TooManyRequests,
    TransportError,
)

LIST, WATCH = Phase.LIST, Phase.WATCH
TOO_LARGE = ServerError("no", status=504, causes=[Cause("ResourceVersionTooLarge", "Too large resource version")])
START = State()
AT_5 = State(WATCH, "5")
FRESH = State(WATCH, "5", fresh=True)
LISTING = State(LIST, "5")


@pytest.mark.parametrize(
    ("state", "outcome", "now", "following"),
    [
        pytest.param(START, Listed("7"), 0, State(WATCH, "7", fresh=True), id="a list is followed by a watch"),
        pytest.param(AT_5, Ended("9", 3, 200), 0, State(WATCH, "9"), id="a clean end resumes at once"),
        pytest.param(AT_5, Ended("5", 0, 200), 0, State(WATCH, "5"), id="a quiet watch resumes at once"),
        pytest.param(AT_5, Ended("5", 0, 0.1), 0, State(WATCH, "5", delay=True), id="a short empty watch waits"),
        pytest.param(AT_5, Ended("9", 1, 0.1), 0, State(WATCH, "9", delay=True), id="a short watch with events, too"),
        pytest.param(AT_5, Ended("9", 1, 0.1, own=True), 0, State(WATCH, "9"), id="one that the client ended does not"),
        pytest.param(
            AT_5, Ended("5", 0, 3, unconfirmed=True), 0, State(LIST, "5", reason="unconfirmed"), id="no evidence: list"
        ),
        pytest.param(
            AT_5, Failed(OlderList("older"), "5"), 0, State(LIST, reason="regression"), id="an old checkpoint: anew"
        ),
        pytest.param(
            FRESH,
            Failed(Gone(), "6", 1, seconds=0.5),
            0,
            State(LIST, "6", consistent=True, delay=True, reason="gone"),
            id="expired soon after a list, whatever the watch brought: wait",
        ),
        pytest.param(FRESH, Ended("5", 0, 60), 0, State(WATCH, "5"), id="a watch that lived proves the version"),
        pytest.param(
            AT_5, Ended("6", 3, 9, skipped=True), 0, State(LIST, "6", delay=True, reason="skipped"), id="unusable"
        ),
        pytest.param(
            AT_5, Failed(Gone(), "6", 1, True), 0, State(LIST, "6", delay=True, reason="skipped"), id="unusable, gone"
        ),
        pytest.param(AT_5, Failed(Gone(), "6", 1), 0, State(LIST, "6", reason="gone"), id="expired: list at once"),
        pytest.param(
            FRESH,
            Failed(Gone(), "5"),
            0,
            State(LIST, "5", consistent=True, delay=True, reason="gone"),
            id="expired right after a list: wait, and take the newest",
        ),
        pytest.param(
            AT_5,
            Failed(TOO_LARGE, "5"),
            0,
            State(LIST, "5", consistent=True, delay=True, reason="too_large_rv"),
            id="a lagging replica",
        ),
        pytest.param(AT_5, Failed(NotFound(), "5"), 0, State(LIST, "5", delay=True, reason="no_kind"), id="no kind"),
        pytest.param(AT_5, Failed(Forbidden(), "5"), 0, State(WATCH, "5", delay=True), id="forbidden: ask again"),
        pytest.param(AT_5, Failed(TooManyRequests(), "5"), 0, State(WATCH, "5", delay=True), id="throttled"),
        pytest.param(AT_5, Failed(TransportError(), "6", 1), 0, State(WATCH, "6", delay=True), id="reset: resume"),
        pytest.param(
            AT_5, Failed(ServerError(), "5"), 10, State(WATCH, "5", delay=True, troubled_since=10), id="500: in place"
        ),
        pytest.param(
            State(WATCH, "5", troubled_since=10),
            Failed(ServerError(), "5"),
            39,
            State(WATCH, "5", delay=True, troubled_since=10),
            id="500 for 29 s: in place",
        ),
        pytest.param(
            State(WATCH, "5", troubled_since=10),
            Failed(ServerError(), "5"),
            40,
            State(LIST, "5", delay=True, reason="error"),
            id="500 for 30 s: list",
        ),
        pytest.param(
            State(WATCH, "5", troubled_since=10),
            Failed(ServerError(), "6", 1),
            40,
            State(WATCH, "6", delay=True, troubled_since=40),
            id="500 after an event: the half minute begins anew",
        ),
        pytest.param(
            LISTING,
            Failed(Gone(), "5"),
            0,
            State(LIST, "5", consistent=True, reason="gone"),
            id="page expired: at once",
        ),
        pytest.param(
            State(LIST, "5", consistent=True),
            Failed(Gone(), "5"),
            0,
            State(LIST, "5", consistent=True, whole=True, delay=True, reason="gone"),
            id="page expired again: wait, and take the whole list at once",
        ),
        pytest.param(
            LISTING,
            Failed(OlderList("older"), "5"),
            0,
            State(LIST, "5", consistent=True, delay=True, reason="regression"),
            id="an older list: ask for the newest",
        ),
        pytest.param(
            State(LIST, "5", consistent=True),
            Failed(OlderList("older", confirmed=True), "5"),
            0,
            State(LIST, "5", consistent=True, reason="regression"),
            id="restored: list at once",
        ),
        pytest.param(
            LISTING,
            Failed(TOO_LARGE, "5"),
            0,
            State(LIST, "5", consistent=True, reason="too_large_rv"),
            id="list from a lagging replica",
        ),
        pytest.param(
            LISTING,
            Failed(NotFound(), "5"),
            0,
            State(LIST, "5", delay=True, absent=True, reason="no_kind"),
            id="the kind is gone: drop what is cached",
        ),
        pytest.param(
            State(LIST, "5", absent=True),
            Failed(TransportError(), "5"),
            0,
            State(LIST, "5", delay=True, reason="error"),
            id="a broken list is no reason to drop",
        ),
    ],
)
def test_each_outcome_leads_to_one_next_step(state, outcome, now, following):
    assert step(state, outcome, now) == following


errors = st.sampled_from(
    [
        Gone(),
        NotFound(),
        Forbidden(),
        TooManyRequests(),
        ServerError(),
        TOO_LARGE,
        TransportError(),
        ApiError(status=418),
    ]
)
outcomes = st.one_of(
    st.builds(Listed, st.just("5")),
    st.builds(Ended, st.just("5"), st.integers(0, 3), st.floats(0, 300), st.booleans()),
    st.builds(Failed, errors, st.just("5"), st.integers(0, 3), st.booleans(), st.floats(0, 300)),
)


@given(st.lists(outcomes, max_size=30))
def test_c7_no_sequence_of_failures_without_progress_runs_hot(happening):
    state, hot = State(), 0
    for outcome in happening:
        if isinstance(outcome, Listed) and state.phase is WATCH:
            continue
        if isinstance(outcome, Ended) and state.phase is LIST:
            continue
        state = step(state, outcome, 0.0)
        progress = isinstance(outcome, Listed) or outcome.seconds >= 1
        hot = 0 if state.delay or progress else hot + 1
        assert hot <= 2, "three tries in a row without a pause and without anything gained"


@given(st.lists(outcomes, max_size=30))
def test_only_a_list_that_says_not_found_drops_what_is_cached(happening):
    state = State()
    for outcome in happening:
        listing = state.phase is LIST
        state = step(state, outcome, 0.0)
        if state.absent:
            assert listing
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, NotFound)
