"""The overlay by itself: when a written object is shown, and when it must not be (C9)."""

from zestor_controller.cache.decode import Record
from zestor_controller.cache.overlay import Overlay


def record(version: int | str, uid: str = "u") -> Record:
    return Record(uid, version, b"{}", False)


def test_c9_a_write_is_shown_until_the_stream_has_passed_it():
    overlay = Overlay()
    overlay.wrote("w", record(10), 5)
    assert overlay.look("w", record(4), 9) == record(10)
    assert overlay.look("w", None, 9) == record(10)
    assert overlay.look("w", None, 10) is None  # created, and removed by somebody else since
    assert len(overlay) == 0


def test_c9_a_newer_cached_object_wins_though_the_stream_is_not_known_to_be_so_far():
    overlay = Overlay()
    overlay.wrote("w", record(10), 5)
    assert overlay.look("w", record(11), 9) == record(11)
    assert len(overlay) == 0


def test_c9_answers_that_come_in_another_order_than_the_writes_end_with_the_newest():
    overlay = Overlay()
    overlay.wrote("w", record(12), 5)
    overlay.wrote("w", record(10), 5)
    assert overlay.look("w", None, 5) == record(12)


def test_c9_what_the_stream_has_passed_already_is_not_noted():
    overlay = Overlay()
    overlay.wrote("w", record(10), 10)
    overlay.deleted("w", "u", None)
    assert len(overlay) == 0


def test_c9_a_deletion_hides_its_object_alone():
    overlay = Overlay()
    overlay.deleted("w", "u", record(4))
    assert overlay.look("w", record(4), 9) is None
    assert overlay.look("w", record(6), 9) is None
    assert overlay.look("w", record(7, "another"), 9) == record(7, "another")
    assert len(overlay) == 0


def test_c9_a_deletion_outlasts_the_creation_that_the_stream_has_yet_to_bring():
    overlay = Overlay()
    overlay.wrote("w", record(10), 5)
    overlay.deleted("w", "u", None)
    assert overlay.look("w", None, 6) is None
    assert overlay.look("w", record(10), 10) is None
    assert overlay.look("w", None, 11) is None
    assert len(overlay) == 0


def test_c9_versions_that_cannot_be_compared_are_left_to_the_watch():
    overlay = Overlay()
    overlay.wrote("w", record("abc"), "abb")
    overlay.wrote("w", record(5), "abb")
    assert len(overlay) == 0
