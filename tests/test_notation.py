"""The one notation: what is printed is read back, what is read is never run, and bad text ends in
one line.
"""

from __future__ import annotations

import builtins
import math
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sevensteps import steps
from sevensteps.arguments import number
from sevensteps.data import load
from sevensteps.errors import SHELL_WORDS, ArgumentError, NotationError
from sevensteps.notation import MAX_DEPTH, MAX_LENGTH, auto, literal, parse, value


@value
class plain:
    """no arguments"""


@value
class mixed:
    """arguments of each kind"""

    first: Any
    second: Any = 2
    _: KW_ONLY
    third: Any = 0.5
    fourth: Any = None


@value
class shown:
    """one argument is always printed, another must be positive"""

    always_shown = ("lr",)
    _: KW_ONLY
    lr: float = 0.1
    size: float = 1

    def __post_init__(self) -> None:
        number("size", self.size, above=0)


@value
class rest:
    """any number of arguments"""

    items: tuple[Any, ...]
    options: dict[str, Any]

    def __init__(self, *items: Any, **options: Any) -> None:
        vars(self).update(items=items, options=options)


class Joinable:
    """Something that | joins, as stop rules do."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def __or__(self, other: object) -> Joinable:
        return (
            Joinable(*self.parts, *other.parts) if isinstance(other, Joinable) else NotImplemented
        )


NAMES = {
    "plain": plain,
    "mixed": mixed,
    "shown": shown,
    "rest": rest,
    "auto": auto,
    "one": lambda: Joinable("one"),
    "two": lambda: Joinable("two"),
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=30)
)
ARGUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6
)


def read(text: str) -> Any:
    return parse(text, NAMES, what="test")


def refused(text: str) -> str:
    with pytest.raises(NotationError) as failure:
        read(text)
    return str(failure.value)


# -- written and read back -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (plain(), "plain()"),
        (mixed(1), "mixed(1)"),
        (mixed(1, 3), "mixed(1, 3)"),
        (mixed("a", third=0.25), 'mixed("a", third=0.25)'),
        (mixed(None, 2, third=0.5, fourth=True), "mixed(None, fourth=True)"),
        (mixed(plain(), (1,)), "mixed(plain(), (1,))"),
        (mixed((), ((1.5, "x"), -2)), 'mixed((), ((1.5, "x"), -2))'),
        (shown(), "shown(lr=0.1)"),
        (shown(size=2, lr=1), "shown(lr=1, size=2)"),
        (rest(), "rest()"),
        (rest(1, "b", b=2, a=rest(3)), 'rest(1, "b", b=2, a=rest(3))'),
        (mixed('"\\\n\t\u2028é ☃'), 'mixed("\\"\\\\\\n\\t\u2028é ☃")'),
        (mixed(1e-07, 1e22), "mixed(1e-07, 1e+22)"),
        (mixed(-0.0, 10**30), f"mixed(-0.0, {10**30})"),
    ],
)
def test_a_value_is_spelled(made: Any, text: str) -> None:
    assert repr(made) == text
    assert read(text) == made
    assert repr(read(text)) == text


@given(first=ARGUMENTS, second=ARGUMENTS, third=ARGUMENTS, fourth=ARGUMENTS)
def test_any_arguments_come_back(first: Any, second: Any, third: Any, fourth: Any) -> None:
    made = mixed(first, second, third=third, fourth=fourth)
    again = read(repr(made))
    assert again == made
    assert hash(again) == hash(made)
    assert repr(again) == repr(made)


@given(
    items=st.lists(ARGUMENTS, max_size=4),
    options=st.dictionaries(st.sampled_from(["a", "b", "é"]), ARGUMENTS),
)
def test_any_number_of_arguments_comes_back(items: list[Any], options: dict[str, Any]) -> None:
    made = rest(*items, **options)
    assert read(repr(made)) == made
    assert hash(read(repr(made))) == hash(made)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(0.1 + 0.2)
@example(-0.0)
def test_a_float_keeps_every_bit(held: float) -> None:
    again = read(f"mixed({literal(held)})").first
    assert type(again) is float
    assert (again, math.copysign(1, again)) == (held, math.copysign(1, held))


def test_numpy_numbers_are_written_as_numbers() -> None:
    for held, text in (
        (numpy.float64(0.1), "0.1"),
        (numpy.float32(0.5), "0.5"),
        (numpy.int64(-3), "-3"),
    ):
        assert literal(held) == text
        assert read(f"mixed({text})") == mixed(held)
        assert hash(read(f"mixed({text})")) == hash(mixed(held))
    assert repr(steps.parse("step", "sgd(lr=0.1)")) == repr(
        steps.module_of("step").sgd(lr=numpy.float64(0.1))
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", plain()),
        ("  plain ( )  ", plain()),
        ("plain()  # a remark", plain()),
        ("mixed(\n  1,\n  2,\n)", mixed(1)),
        ("mixed(first=1)", mixed(1)),
        ("mixed(third=1, first='a')", mixed("a", third=1)),
        ("mixed([1, [2]])", mixed((1, (2,)))),
        ("mixed(+1, -1)", mixed(1, -1)),
        ("mixed(0x10, 0b11)", mixed(16, 3)),
        ("mixed(1_000)", mixed(1000)),
        ("mixed(.5)", mixed(0.5)),
        ("mixed('it''s')", mixed("its")),
        ("mixed('a\\u00e9')", mixed("aé")),
        ('mixed("""x""")', mixed("x")),
        ("mixed(plain)", None),
    ],
)
def test_other_spellings(text: str, wanted: Any) -> None:
    if wanted is None:  # an argument is a literal or a call; a bare name there would be a variable
        assert refused(text).startswith(
            "test: 'mixed(plain)' has 'plain', which is not a plain value"
        )
    else:
        assert read(text) == wanted


def test_values_are_joined_from_left_to_right() -> None:
    assert read("one | two").parts == ("one", "two")
    assert read("one()|two|one").parts == ("one", "two", "one")
    assert read("one | (two | one)").parts == ("one", "two", "one")


def test_values_are_equal_by_kind_and_arguments() -> None:
    assert mixed(1) == mixed(1, 2, third=0.5)
    assert mixed(1) != mixed(1, 3)
    assert plain() != auto()
    assert plain() != "plain()"
    assert rest(a=1, b=2) == rest(b=2, a=1)
    assert hash(rest(a=1, b=2)) == hash(rest(b=2, a=1))
    assert len({mixed(1), mixed(1, 2), mixed(2)}) == 2


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="cannot assign to field 'first'"):
        mixed(1).first = 2


# -- refused ---------------------------------------------------------------------------------------

NOT_PLAIN = "which is not a plain value; write names of test with numbers, texts, True, False or None: auto()"  # noqa: E501


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "test: '' is empty; write one of: auto, mixed, one, plain, rest, shown, two"),
        (" \n ", "test: '' is empty; write one of: auto, mixed, one, plain, rest, shown, two"),
        ("plain(", "test: 'plain(' cannot be read at character 6; write it as auto()"),
        ("plain)", "test: 'plain)' cannot be read at character 6; write it as auto()"),
        (
            "plain() plain()",
            "test: 'plain() plain()' cannot be read at character 9; write it as auto()",
        ),
        (
            "mixed(1, first=2)",
            "test: mixed: multiple values for argument 'first'; it takes mixed(first, second=2, "
            "*, third=0.5, fourth=None)",
        ),
        (
            "mixed()",
            "test: mixed: missing a required argument: 'first'; it takes mixed(first, second=2, "
            "*, third=0.5, fourth=None)",
        ),
        (
            "mixed(1, 2, 3)",
            "test: mixed: too many positional arguments; it takes mixed(first, second=2, *, "
            "third=0.5, fourth=None)",
        ),
        (
            "mixed(1, sixth=2)",
            "test: mixed: got an unexpected keyword argument 'sixth'; "
            "it takes mixed(first, second=2, *, third=0.5, fourth=None)",
        ),
        ("plaim", "test has no 'plaim'; did you mean 'plain'?"),
        ("mixed(plaim())", "test has no 'plaim'; did you mean 'plain'?"),
        (
            "rest(mixed())",
            "test: mixed: missing a required argument: 'first'; it takes mixed(first, second=2, "
            "*, third=0.5, fourth=None)",
        ),
        ("shown(size=-1)", "test: shown(size=-1): size must be above 0, not -1"),
        ("rest(shown(size=0), 1)", "test: shown(size=0): size must be above 0, not 0"),
        (
            "auto(self=1)",
            "test: auto(self=1): auto.__init__() got multiple values for argument 'self'; it "
            "takes auto(**options)",
        ),
        (
            "plain() | plain()",
            "test: 'plain() | plain()' joins values with |; only stop rules can be joined",
        ),
        ("one | plain", "test: 'one | plain' joins values with |; only stop rules can be joined"),
        (
            "mixed(1e400)",
            "test: 'mixed(1e400)' has a number too large to hold; write a finite number",
        ),
        (
            "mixed(-1e400)",
            "test: 'mixed(-1e400)' has a number too large to hold; write a finite number",
        ),
        ("3", f"test: '3' has '3', {NOT_PLAIN}"),
        ("'plain'", f"""test: ''plain'' has ''plain'', {NOT_PLAIN}"""),
        ("mixed(nan)", f"test: 'mixed(nan)' has 'nan', {NOT_PLAIN}"),
        ("mixed(1j)", f"test: 'mixed(1j)' has '1j', {NOT_PLAIN}"),
        ("mixed(b'a')", f"test: 'mixed(b'a')' has 'b'a'', {NOT_PLAIN}"),
        ("mixed(...)", f"test: 'mixed(...)' has '...', {NOT_PLAIN}"),
        ("mixed({1: 2})", "test: 'mixed({1: 2})' has '{1: 2}', " + NOT_PLAIN),
        ("mixed(--1)", f"test: 'mixed(--1)' has '--1', {NOT_PLAIN}"),
        ("mixed(not 1)", f"test: 'mixed(not 1)' has 'not 1', {NOT_PLAIN}"),
        ("mixed(-True)", f"test: 'mixed(-True)' has '-True', {NOT_PLAIN}"),
        ("mixed(-'a')", f"test: 'mixed(-'a')' has '-'a'', {NOT_PLAIN}"),
        ("mixed(2**3)", f"test: 'mixed(2**3)' has '2**3', {NOT_PLAIN}"),
        ("mixed(*[1, 2])", f"test: 'mixed(*[1, 2])' has '*[1, 2]', {NOT_PLAIN}"),
        ("mixed(**plain())", f"test: 'mixed(**plain())' has 'plain()', {NOT_PLAIN}"),
        ("plain & plain", f"test: 'plain & plain' has 'plain & plain', {NOT_PLAIN}"),
        ("plain()()", f"test: 'plain()()' has 'plain()()', {NOT_PLAIN}"),
        ("plain(\x00)", "test: 'plain(?)' cannot be read; write it as auto()"),
        ("plain(\udc80)", "test: 'plain(?)' cannot be read; write it as auto()"),
    ],
)
def test_bad_text_is_refused_in_one_line(text: str, message: str) -> None:
    assert refused(text) == message


def test_a_long_or_coloured_text_is_cut_and_cleaned() -> None:
    assert (
        refused("plain(" + "x" * 500)
        == "test: 'plain(" + "x" * 73 + "…' cannot be read at character 6; write it as auto()"
    )
    assert refused("shown(size='\x1b[31m" + "x" * 500 + "')").startswith(
        "test: shown(size='?[31m" + "x" * 62 + "…: size must be a finite"
    )
    assert refused("\x1b[31m") == "test: '?[31m' cannot be read at character 1; write it as auto()"


@pytest.mark.parametrize(
    "text",
    [
        "mixed(" + "(" * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1) + ")",
        "[" * 1000,
        "rest(" * 300 + ")" * 300,
        "mixed(" * 300,
    ],
)
def test_too_many_brackets_are_refused(text: str) -> None:
    assert "nests too many brackets; the limit is 40" in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        " | ".join(["one"] * 100),
        "mixed(" + "-" * 1900 + "1)",
        "plain" + ".a" * 900,
        "plain" + "()" * 900,
        "not " * 400 + "1",
        "1" + "+1" * 900,
        "mixed(" + "9" * 1900 + "j)",
    ],
)
def test_deep_text_is_refused_not_crashed_on(text: str) -> None:
    assert len(text) <= MAX_LENGTH
    assert refused(text).startswith("test: '")


def test_what_is_just_deep_enough_is_read() -> None:
    assert len(read(" | ".join(["one"] * MAX_DEPTH)).parts) == MAX_DEPTH
    held = read("mixed(" + "(" * 30 + "1" + ",)" * 30 + ")").first
    for _ in range(30):
        (held,) = held
    assert held == 1


def test_the_length_is_limited() -> None:
    fits = "mixed('" + "x" * (MAX_LENGTH - 9) + "')"
    assert len(fits) == MAX_LENGTH
    assert read(fits) == mixed("x" * (MAX_LENGTH - 9))
    assert refused(fits.replace("'x", "'xx")).endswith(
        f"' has {MAX_LENGTH + 1} characters; the limit is {MAX_LENGTH}"
    )


# -- nothing is run --------------------------------------------------------------------------------

ATTACKS = [
    "__import__('os').system('touch {file}')",
    "__import__('pathlib').Path('{file}').touch()",
    "open('{file}', 'w')",
    'exec(\'open("{file}", "w")\')',
    'eval(\'open("{file}", "w")\')',
    "[open('{file}', 'w')]",
    "(lambda: open('{file}', 'w'))()",
    "linear(open('{file}', 'w'))",
    "linear(**{{'x': open('{file}', 'w')}})",
    "linear(*[open('{file}', 'w')])",
    "mlp([open('{file}', 'w') for _ in (1,)])",
    "mlp(30 if open('{file}', 'w') else 10)",
    "mlp(x := open('{file}', 'w'))",
    "mlp(f\"{{open('{file}', 'w')}}\")",
    "mlp.__init__.__globals__['__builtins__']['open']('{file}', 'w')",
    "linear().__class__.__mro__[-1].__subclasses__()",
    "linear.__globals__",
    "sgd(lr=(1).__class__)",
    "mlp(30)[open('{file}', 'w')]",
    "epochs(1) | open('{file}', 'w')",
    "mlp(30, activation=print('{file}'))",
    "builtins.open('{file}', 'w')",
    "await linear()",
    "mlp(30); open('{file}', 'w')",
    "import os",
    "mlp(30)\nopen('{file}', 'w')",
    "@open\nmlp(30)",
    "mlp(yield)",
    "_Callable('x')",
    "Any()",
    "torch.load('{file}')",
    "importlib.import_module('os')",
    "copy",
    "nn.Linear(1, 1)",
    "Predictor()",
    "choose((3,))",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_that_tries_to_run_code_is_refused(
    attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in steps.STEPS:
        steps.module_of(step)  # importing runs code, which is not what is looked for here
    ran: list[Any] = []
    for name in ("eval", "exec", "open", "print"):
        monkeypatch.setattr(builtins, name, lambda *arguments, **named: ran.append(arguments))
    messages = []
    for step in steps.STEPS:
        try:
            steps.parse(step, attack.format(file=tmp_path / "ran"))
        except NotationError as failure:
            messages.append(str(failure))
    monkeypatch.undo()
    assert ran == []
    assert list(tmp_path.iterdir()) == []
    assert len(messages) == len(steps.STEPS)
    assert all(len(message.splitlines()) == 1 for message in messages)


def test_naming_a_module_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets_that_run.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    assert (
        repr(steps.parse("predict", "module('nets_that_run:build')"))
        == 'module("nets_that_run:build")'
    )


# -- any text at all -------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "mlp",
        "linear",
        "sgd",
        "cosine",
        "epochs",
        "patience",
        "normal",
        "auto",
        "module",
        "(",
        ")",
        "[",
        "]",
        ",",
        "=",
        "|",
        "lr",
        "bias",
        "0.1",
        "30",
        "-",
        "1e999",
        "True",
        "None",
        '"relu"',
        "'",
        '"',
        " ",
        "\n",
        "\\",
        "lambda",
        ":",
        "*",
        "**",
        ".",
        "{",
        "}",
        "é",
        "\x00",
        "#",
    ]
)


@settings(max_examples=500)
@given(
    step=st.sampled_from(steps.STEPS),
    text=st.text(max_size=60) | st.lists(PIECES, max_size=25).map("".join),
)
@example(step="predict", text="mlp(" + "9" * 1990 + ")")
@example(step="initialize", text="constant(" + "9" * 1980 + ")")
@example(step="stop", text="epochs(1)" + " | epochs(1)" * 160)
def test_any_text_gives_a_value_or_one_line(step: str, text: str) -> None:
    try:
        made, message = steps.parse(step, text), None
    except NotationError as failure:
        message = str(failure)
    if message is None:
        assert steps.parse(step, repr(made)) == made
    else:
        assert message.startswith(step)
        assert len(message.splitlines()) == 1


@given(text=st.text(st.characters(codec="utf-8"), max_size=30))
@example(text="') or open('x")
@example(text='\\"); open("x")')
def test_any_text_as_an_argument_is_only_text(text: str) -> None:
    assert read(f"mixed({literal(text)})") == mixed(text)


@given(
    st.sampled_from([entry.name for step in steps.STEPS for entry in steps.catalog(step)]),
    st.integers(0, 30),
)
def test_a_slip_of_the_key_is_put_right(name: str, at: int) -> None:
    place = at % len(name)
    slipped = name[:place] + "_q" + name[place + 1 :]
    for step in steps.STEPS:
        names = [entry.name for entry in steps.catalog(step)]
        if name in names and slipped not in names and len(name) > 6:
            with pytest.raises(NotationError, match=rf"^{step} has no '{slipped}'; did you mean '"):
                steps.parse(step, slipped)


def test_a_factory_s_own_python_errors_become_one_line() -> None:
    def fails(kind: str) -> None:
        raise {
            "value": ValueError,
            "type": TypeError,
            "overflow": OverflowError,
            "argument": ArgumentError,
        }[kind]("does\nnot fit")

    for kind in ("value", "type", "overflow"):
        with pytest.raises(NotationError) as failure:
            parse(f"fails('{kind}')", {"fails": fails}, what="test")
        assert str(failure.value) == f"test: fails('{kind}'): does not fit; it takes fails(kind)"
    with pytest.raises(NotationError) as failure:
        parse("fails('argument')", {"fails": fails}, what="test")
    assert str(failure.value) == "test: fails('argument'): does not fit"


def test_a_word_where_no_text_can_stand_is_not_given_quotes() -> None:
    with pytest.raises(NotationError, match=r"count must be a whole number, not 'five'$"):
        steps.parse("stop", "epochs(five)")


def test_square_brackets_are_answered_with_round_ones() -> None:
    with pytest.raises(NotationError, match=r"square brackets; write round ones: mlp\(30,20\)$"):
        steps.parse("predict", "mlp[30,20]")


def test_a_text_without_quotes_is_answered_with_them() -> None:
    with pytest.raises(NotationError, match=r'without quotes; write: mlp\(3, act.*="tanh"\)$'):
        steps.parse("predict", "mlp(3, activation=tanh)")
    token = SHELL_WORDS.set(("data", "speed(scale=standardize)"))
    try:
        with pytest.raises(NotationError, match=r"""write: 'speed\(scale="standardize"\)'$"""):
            load("speed(scale=standardize)")
    finally:
        SHELL_WORDS.reset(token)
