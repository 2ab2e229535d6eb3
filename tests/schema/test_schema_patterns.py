import pytest

from zestor_controller.schema.pattern import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("^a+$", "aa", "aa\n"),
        (r"^\d$", "1", "\u0661"),
        (r"^\p{Lu}\pL*$", "Äb", "ab"),
        ("^[[:alpha:]]+$", "ab", "a1"),
        (r"^[^\D]$", "1", "a"),
        (r"^[\D]$", "a", "1"),
        ("^[]a]$", "]", "b"),
        ("x{,3}", "x{,3}", "xxx"),
        (r"\Qa.b\E+", "a.bb", "axb"),
        ("a(?i)b|c", "C", "Ab"),
        ("(?i)a(?-i)b", "Ab", "AB"),
        ("(?s)^.$", "\n", ""),
        ("(?m)^b$", "a\nb\nc", "abc"),
        (r"^[\x41-\x{43}]$", "B", "D"),
        ("^(?P<one>a)(?<two>b)$", "ab", "a"),
        (r"^\_(?)b$", "_b", "b"),
        (r"^\Q\C\E$", "\\C", "a"),
    ],
)
def test_a_pattern_means_what_it_means_in_go(pattern: str, matching: str, other: str) -> None:
    compiled = compile_pattern(pattern)

    assert compiled.search(matching)
    assert not compiled.search(other)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[", "missing closing ]: `[`"),
        ("(", "missing closing ): `(`"),
        ("a)", "unexpected ): `a)`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("x++", "invalid nested repetition operator: `++`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?<=a)", "invalid named capture: `(?<=a)`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        (r"a\Cb", r"invalid escape sequence: `\C`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("(?<!a", "invalid named capture: `(?<!a`"),
        (r"\x\b", r"invalid escape sequence: `\x\b`"),
        (r"[\p{L}]{1,1000}", r"expression too large: `[\p{L}]{1,1000}`"),
    ],
)
def test_what_go_rejects_is_rejected_with_its_message(pattern: str, message: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)

    assert str(caught.value) == f"error parsing regexp: {message}"


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*)*!!$", "^(a?){50}a{50}!$"])
def test_nested_repetitions_are_matched_in_linear_time(pattern: str) -> None:
    """A backtracking engine takes longer than the age of the universe."""
    assert not compile_pattern(pattern).search("a" * 200_000 + "!?")


def test_half_of_a_surrogate_pair_is_matched_as_a_replaced_character() -> None:
    assert compile_pattern("^.$").search("\ud800")
    assert not compile_pattern("^[a-z]$").search("\ud800")
