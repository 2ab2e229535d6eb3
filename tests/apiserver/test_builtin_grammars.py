"""Texts with a grammar of their own: base64, cron schedules, time zones.

The expected values are those of the Go libraries.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.apiserver.builtin.batch.cronschedule import check_schedule, check_time_zone
from zestor_controller.apiserver.encoding.quantity import canonical, value_of
from zestor_controller.apiserver.syntax.gobase64 import canonical_base64

CRONJOBS = "/apis/batch/v1/namespaces/default/cronjobs"
SECRETS = "/api/v1/namespaces/default/secrets"
JOB = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}}}


@given(st.binary(max_size=80), st.integers(1, 7), st.sampled_from(["\n", "\r\n", "\r"]))
def test_line_breaks_in_base64_change_nothing(raw: bytes, width: int, line_break: str) -> None:
    text = base64.b64encode(raw).decode()
    wrapped = line_break.join(text[at : at + width] for at in range(0, len(text), width)) + line_break
    assert canonical_base64(wrapped) == text


@pytest.mark.parametrize(
    ("text", "offset"),
    [("=", 0), ("YQ=", 3), ("YQ", 0), ("YWJj=", 4), ("YQ==x", 4), ("YQ=\n=\nx", 6), ("YW Jj", 2), ("YWJjZ", 4)],
)
def test_what_is_no_base64_is_refused_at_gos_offset(text: str, offset: int) -> None:
    with pytest.raises(ValueError, match=f"^illegal base64 data at input byte {offset}$"):
        canonical_base64(text)


def test_bits_beyond_the_last_byte_are_not_stored() -> None:
    assert canonical_base64("YR==") == "YQ=="


async def test_wrapped_base64_of_every_kind_is_stored_as_one_line(talk: Any) -> None:
    secret = await talk.make("s", SECRETS, data={"k": "aGVs\r\nbG8=\n"})
    assert secret["data"] == {"k": "aGVsbG8="}
    config = await talk.make("c", binaryData={"k": "aGVs\nbG8=\n"})
    assert config["binaryData"] == {"k": "aGVsbG8="}
    document = b"metadata: {name: read}\ndata:\n  k: |\n    aGVs\n    bG8=\n  b: !!binary |\n    YUdW\n    cw==\n"
    status, read = await talk.ask(
        "POST", SECRETS, b"apiVersion: v1\nkind: Secret\n" + document, content_type="application/yaml"
    )
    assert (status, read.get("data", read)) == (201, {"k": "aGVsbG8=", "b": "aGVs"})
    status, patched = await talk.merge(f"{SECRETS}/s", {"data": {"k": "\nYQ==\n"}})
    assert (status, patched["data"]) == (200, {"k": "YQ=="})


@pytest.mark.parametrize(
    "schedule",
    [
        "*/5 * * * *", "0 0 1 JAN sun", "0-30/5 1,2 * * 1-5", "? ? ? ? ?", "5/15 * * * *", "* *\t* * *", "+1 * * * *",
        "@hourly", "@midnight", "@annually", "@every 1h30m", "@every 1.5h", "@every -5s", "@every 0",
    ],
)  # fmt: skip
def test_what_parse_standard_takes_is_a_schedule(schedule: str) -> None:
    assert check_schedule("spec.schedule", schedule, None, None) == []


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("99 99 99 99 99", "end of range (99) above maximum (59): 99"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("70/5 * * * *", "beginning of range (70) beyond end of range (59): 70/5"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("* * * foo *", 'failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax'),
        ("JAN * * * *", 'failed to parse int from JAN: strconv.Atoi: parsing "JAN": invalid syntax'),
        ("-1 * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("0 0 * * * *", "expected exactly 5 fields, found 6: [0 0 * * * *]"),
        ("@Hourly", "unrecognized descriptor: @Hourly"),
        ("@reboot", "unrecognized descriptor: @reboot"),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("@every 1d", 'failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"'),
        ("9" * 5000 + " * * * *", None),
        ("@every " + "9" * 5000 + "s", None),
    ],
)
def test_what_parse_standard_refuses_is_refused_with_its_words(schedule: str, why: str | None) -> None:
    (error,) = check_schedule("spec.schedule", schedule, None, None)
    assert error.field == "spec.schedule"
    assert why is None or error.detail == why


def test_a_schedule_names_no_time_zone_unless_it_always_did() -> None:
    schedule = "CRON_TZ=Europe/Berlin 0 0 * * *"
    (error,) = check_schedule("f", schedule, None, None)
    assert error.detail == "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    assert check_schedule("f", schedule, "TZ=UTC 0 0 * * *", None) == []
    (error,) = check_schedule("f", schedule, schedule, "UTC")
    assert error.detail == "cannot use both timeZone field and TZ or CRON_TZ in schedule"
    assert len(check_schedule("f", "TZ=UTC", None, None)) == 2


@pytest.mark.parametrize("name", [None, "UTC", "Europe/Berlin", "Etc/GMT+5", "America/Argentina/Buenos_Aires"])
def test_a_zone_of_the_iana_data_is_a_time_zone(name: str | None) -> None:
    assert check_time_zone("f", name) == []


@pytest.mark.parametrize("name", ["", "Local", "local", "Mars/Olympus", "../etc/passwd", "/UTC", "Europe", "-x", "a b"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    assert len(check_time_zone("f", name)) == 1


async def test_a_cron_job_keeps_an_old_zone_in_its_schedule_and_gets_no_new_one(talk: Any) -> None:
    spec = {"schedule": "@hourly", "jobTemplate": JOB}
    await talk.make("c", CRONJOBS, spec=spec)
    for change in ({"schedule": "61 * * * *"}, {"schedule": "TZ=UTC @hourly"}, {"timeZone": "Nowhere/City"}):
        status, refused = await talk.merge(f"{CRONJOBS}/c", {"spec": change})
        assert status == 422
        assert [cause["field"] for cause in refused["details"]["causes"]] == [f"spec.{next(iter(change))}"]
    status, changed = await talk.merge(
        f"{CRONJOBS}/c", {"spec": {"schedule": "0 3 * * MON-FRI", "timeZone": "Asia/Tokyo"}}
    )
    assert (status, changed["spec"]["timeZone"]) == (200, "Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1000m", "1"), ("0.5", "500m"), ("1024Ki", "1Mi"), ("1.5Gi", "1536Mi"), ("0.1m", "100u"), ("1e-10", "1e-9"),
        ("8Ei", "9223372036854775807"), ("-1500M", "-1500M"), (".", "0"), ("+u", "0"), ("1E3", "1E3"), ("+1", "+1"),
        ("01Gi", "01Gi"), ("0400M", "0400M"), (".820k", "820"), ("1e30", "1e30"), ("1e400", "10e399"),
    ],
)  # fmt: skip
def test_a_quantity_is_shown_as_go_shows_it(text: str, shown: str) -> None:
    assert canonical(text) == shown
    assert value_of(shown) == value_of(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "quantities must match"), (" 1", "quantities must match"), ("1_0", "quantities must match"),
        ("0x1", "quantities must match"), ("\u0663", "quantities must match"), ("1K", "suffix"), ("1e", "suffix"),
        ("1e+", "suffix"), ("1ee3", "suffix"), ("1Gi3", "suffix"), ("Ei", "numeric part"),
        ("1e999999999", "suffix"), ("1e" + "9" * 5000, "suffix"), ("9" * 100_000, "suffix"),
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused_at_once(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        canonical(text)
