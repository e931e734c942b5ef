"""Lines of text: wrapping, columns, numbers and words as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells

SHORTEST = 8  # cells of a line, however deep it is indented
HUGE = 1e5  # from here on a metric is written with a power of ten


def wrap(text: str, width: int, indent: str = "", further: str | None = None) -> list[str]:
    """`text` in lines of at most `width` cells of a terminal, in which some characters take two.

    The first line begins with `indent`, the others with `further` (by default two spaces more).
    Lines break at spaces, but not between a number and its %; a word that is longer than a line is
    cut. An empty text is one empty line.

    >>> wrap("one two three", 9)
    ['one two', '  three']
    >>> wrap("up to 95 % of it", 9)
    ['up to', '  95 % of', '  it']
    """
    further = f"{indent}  " if further is None else further
    lines: list[str] = []
    line, empty = indent, True
    for space, word in re.findall(r"(\s*)(\S*\d %\S*|\S+)", text):
        gap = " " * len(space) if not empty or not lines else ""
        if not empty and cell_len(line) + len(gap) + cell_len(word) > width:
            lines.append(line)
            line, empty, gap = further, True, ""
        line += gap
        first, *pieces = chop_cells(word, max(width - cell_len(line), SHORTEST))
        line, empty = line + first, False
        for piece in pieces:
            lines.append(line)
            line = further + piece
    return [*lines, line] if not empty else [""]


def side_by_side(left: Sequence[str], right: Sequence[str], gap: int = 3) -> list[str]:
    """Two blocks of lines as one, the second to the right of the first.

    >>> side_by_side(["a", "bbb"], ["c"], gap=1)
    ['a   c', 'bbb']
    """
    width = max(map(len, left), default=0) + gap
    count = max(len(left), len(right))
    rows = zip(
        [*left, *[""] * (count - len(left))], [*right, *[""] * (count - len(right))], strict=True
    )
    return [f"{a:<{width}}{b}".rstrip() for a, b in rows]


def shell_quote(word: str) -> str:
    """`word` as one word of a command line, in quotes where it needs them.

    >>> print(shell_quote("runs/one"), shell_quote("mlp(30, activation='tanh')"))
    runs/one "mlp(30, activation='tanh')"
    """
    plain = all(character.isalnum() or character in "_./:\\-=" for character in word)
    quote = "'" if '"' in word else '"'
    return word if plain and word else f"{quote}{word}{quote}"


def metric_text(name: str, value: float | None) -> str:
    """The value of a metric: a loss with four significant digits, others with four decimals, unless
    they are huge; a dash where there is none.

    >>> metric_text("loss", 0.123456), metric_text("r2", 0.9), metric_text("r2", -1.5e30)
    ('0.1235', '0.9000', '-1.5e+30')
    """
    if value is None:
        return "–"
    return f"{value:.4g}" if name == "loss" or abs(value) >= HUGE else f"{value:.4f}"


def count_text(count: int, noun: str) -> str:
    """A count with its noun, in the plural where it needs one.

    >>> count_text(1, "sample"), count_text(2345, "sample")
    ('1 sample', '2,345 samples')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def number_text(value: float, digits: int = 4) -> str:
    """A number with `digits` significant digits."""
    return f"{value:.{digits}g}"


def raw_text(value: float) -> str:
    """A raw number as people write it: whole ones with all their digits, others with five.

    >>> raw_text(1200000.0), raw_text(81.5), raw_text(0.0123456)
    ('1200000', '81.5', '0.012346')
    """
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.5g}"


def command_lines(text: str, width: int, prompt: str | None = None) -> list[str]:
    """A command over several lines, as a shell reads it; a word is never broken.

    `prompt` stands before it: by default `  $ `, or `  >>> ` before Python.
    """
    if prompt is None:
        prompt = "  $ " if text.startswith("sevensteps ") else "  >>> "
    lines, line = list[str](), prompt
    for word in _options_and_words(text):
        if len(line) + len(word) + 2 > width and line != prompt:
            lines.append(f"{line.rstrip()} \\")
            line = "      "
        line += f"{word} "
    return [*lines, line.rstrip()]


def _options_and_words(text: str) -> Iterator[str]:
    """The words of a command as they are written, an option together with its value."""
    part, mark, option = "", "", ""
    for letter in f"{text} ":
        if letter == " " and not mark:
            if part.startswith("--") and not option:
                option = part
            elif option and part.startswith("--"):
                yield option
                option = part
            else:
                yield f"{option} {part}".strip()
                option = ""
            part = ""
            continue
        if letter in "\"'" and mark in ("", letter):
            mark = "" if mark else letter
        part += letter
    if option:
        yield option
