import pytest

from zestor_controller.schema.stringformat import checker, is_known


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date-time", "2020-01-01t10:00:00.5+02:00", "2020-01-01T25:00:00Z"),
        ("date", "2020-02-29", "2021-02-29"),
        ("duration", "5 min", "5 parsecs"),
        ("duration", "1.5h", ""),
        ("email", "A B <a@b.de>", "a@"),
        ("ipv4", "01.2.3.4", "1.2.3"),
        ("ipv4", "::ffff:1.2.3.4", "::1"),
        ("ipv6", "::1", "fe80::1%eth0"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
        ("mac", "0011.2233.4455", "00:11:22:33:44"),
        ("uri", "/x", "::"),
        ("hostname", "exämple.com", "-a-"),
        ("uuid", "6BA7B8109DAD11D180B400C04FD430C8", "x"),
        ("byte", "YQ==", "YQ="),
        ("isbn", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111 1111 1111 1111", "4111111111111112"),
        ("rgbcolor", "rgb(1, 2, 3)", "rgb(256,2,3)"),
        ("k8s-short-name", "a-b", "A"),
    ],
)
def test_a_format_tells_right_from_wrong(name: str, right: str, wrong: str) -> None:
    check = checker(name)

    assert check is not None
    assert check(right)
    assert not check(wrong)


def test_a_format_is_known_for_its_type_only() -> None:
    assert is_known("date-time", ("string",))
    assert is_known("int32", ("integer",))
    assert not is_known("int32", ("string",))
    assert not is_known("date", ("integer",))
    assert not is_known("oddity", ("string",))
    assert is_known("date", ())


@pytest.mark.parametrize("part", ["1", " ", "a", "a.", "a-", '"\\a', '"a" ', "1h", ".", ":", "%", "é"])
@pytest.mark.parametrize("name", ["duration", "email", "hostname", "uri", "isbn", "byte", "mac", "date-time", "ipv6"])
def test_no_value_takes_more_than_linear_time(name: str, part: str) -> None:
    """Backtracking over a hundred thousand characters takes longer than the test may."""
    check = checker(name)

    assert check is not None
    check(part * 100_000 + "!")


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("duration", "1.5h2m.5s", True),
        ("duration", "12 weeks", True),
        ("duration", "12", False),
        ("duration", "x12 hr", True),
        ("email", '"q" b <a.b@c>', True),
        ("email", "  a@[1.2.3.4]  ", True),
        ("email", "a b a@c", False),
        ("email", " <a@b> ", True),
    ],
)
def test_durations_and_addresses_are_read_as_before_they_were_made_linear(name: str, text: str, fits: bool) -> None:
    check = checker(name)

    assert check is not None
    assert check(text) is fits
