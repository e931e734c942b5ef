"""Draws docs/architecture.svg: the rooms of the package from the top down, and three ways through
them. Run it again when a room or a way changes: `python docs/rooms.py`.
"""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sevensteps"

# The floors from the top down, several rooms on one where none imports another.
ROOMS: list[tuple[str, ...]] = [
    ("cli", "integrations"),
    ("api",),
    ("view",),
    ("explain",),
    ("doctor",),
    ("lr_finder",),
    ("racing",),
    ("observe",),
    ("record",),
    ("training",),
    ("steps",),
    ("engine",),
    ("data",),
    ("render",),
    ("metrics", "head", "task"),
    ("seeds", "aliases", "notation", "arguments", "errors"),
]
# What passes through, and where it stops on its way: (room, what happens there).
WAYS: dict[str, Sequence[tuple[str, str]]] = {
    "a batch": [
        ("data", "a Part's rows"),
        ("steps", "6 repeat: which rows, in which order"),
        ("engine", "2 predict, 3 loss, 4 gradient"),
        ("steps", "5 step: the parameters move"),
        ("training", "the loop counts, evaluates, stops"),
        ("record", "a row of the history"),
    ],
    "a finding": [
        ("training", "the loop calls its observers"),
        ("observe", "a look: signals, gradients, changes"),
        ("doctor", "conditions judge, ranking orders"),
        ("record", "run.json"),
        ("api", "run.findings"),
        ("cli", "printed, --json"),
    ],
    "a file": [
        ("cli", "train pets.csv"),
        ("data", "formats, table, split, scaling"),
        ("training", "resolved into a recipe, trained"),
        ("record", "run folder: recipe, weights, history"),
        ("api", "load, predict"),
    ],
}
COLOURS = {"a batch": "#1b6ca8", "a finding": "#a83f1b", "a file": "#3d7a37"}
TOP, LEFT, HEIGHT, ROOM, WAY = 64, 16, 46, 300, 262
FONT = 'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif"'


def purpose(room: str) -> str:
    """The first line of a room's docstring, up to its first comma, colon or stop."""
    file = PACKAGE / room / "__init__.py"
    file = file if file.is_file() else PACKAGE / f"{room}.py"
    line = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    for mark in (":", ";", ".", ","):
        line = line.split(mark)[0]
    return line


def shortened(text: str, most: int) -> str:
    """`text`, cut at a word where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0] + " …"


def floor_of(room: str) -> int:
    """Which floor a room is on, from the top."""
    return next(index for index, rooms in enumerate(ROOMS) if room in rooms)


def stops_of(way: Sequence[tuple[str, str]]) -> list[float]:
    """The height of each stop of a way; those in one room stand below each other in it."""
    heights = []
    for index, (room, _) in enumerate(way):
        same = [other for other, (name, _) in enumerate(way) if name == room]
        middle = TOP + HEIGHT * (floor_of(room) + 0.5)
        heights.append(middle + (same.index(index) - (len(same) - 1) / 2) * 20)
    return heights


def drawn() -> str:
    """The picture as SVG."""
    width, height = LEFT * 2 + ROOM + WAY * len(WAYS) + 62, TOP + HEIGHT * len(ROOMS) + 20
    lines = [
        f'<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" '
        'aria-label="The rooms of sevensteps; the ways of a batch, a finding and a file" '
        f"{FONT}>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="28" font-size="15" font-weight="600" fill="#1c2430">The house</text>',
        f'<text x="{LEFT}" y="46" font-size="11.5" fill="#5c6672">'
        "imports run from the top down</text>",
    ]
    for index, rooms in enumerate(ROOMS):
        y = TOP + index * HEIGHT
        fill = "#f4f6f9" if index % 2 else "#e9edf3"
        lines.append(
            f'<rect x="{LEFT}" y="{y}" width="{width - 2 * LEFT}" height="{HEIGHT - 4}" rx="5" '
            f'fill="{fill}"/>'
        )
        text = purpose(rooms[0]) if len(rooms) == 1 else ""
        lines.append(
            f'<text x="{LEFT + 12}" y="{y + (18 if text else 26)}" font-size="14" '
            f'font-weight="600" fill="#1c2430">{" · ".join(rooms)}</text>'
        )
        if text:
            lines.append(
                f'<text x="{LEFT + 12}" y="{y + 34}" font-size="11" fill="#5c6672">'
                f"{escape(shortened(text, 52))}</text>"
            )
    for column, (name, way) in enumerate(WAYS.items()):
        x, colour = LEFT + ROOM + 56 + column * WAY, COLOURS[name]
        lines.append(
            f'<text x="{x - 8}" y="34" font-size="14" font-weight="600" fill="{colour}">the way of '
            f"{name}</text>"
        )
        heights = stops_of(way)
        for above, below in itertools.pairwise(heights):
            bend = min(44, 10 + 5 * abs(above - below) / HEIGHT)  # the longer, the further out
            lines.append(
                f'<path d="M{x} {above:.0f} C{x - bend} {above:.0f} {x - bend} {below:.0f} {x} '
                f'{below:.0f}" fill="none" stroke="{colour}" stroke-width="1.6" opacity="0.75"/>'
            )
        for number, ((_, what), y) in enumerate(zip(way, heights, strict=True), 1):
            lines.append(f'<circle cx="{x}" cy="{y:.0f}" r="8.5" fill="{colour}"/>')
            lines.append(
                f'<text x="{x}" y="{y + 3.8:.1f}" font-size="10.5" font-weight="600" '
                f'fill="#ffffff" text-anchor="middle">{number}</text>'
            )
            lines.append(
                f'<text x="{x + 14}" y="{y + 4:.0f}" font-size="11.5" fill="#1c2430">'
                f"{escape(what)}</text>"
            )
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Write the picture to the path given, or to docs/architecture.svg."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "architecture.svg"
    path.write_text(drawn(), encoding="utf-8")


if __name__ == "__main__":
    main()
