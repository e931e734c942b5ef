"""A picture that a notebook cell updates while it runs: curves as SVG, with figures and findings as
text beside them, which is what remains where SVG is stripped.

Nothing in it can be clicked: no button works while a cell runs.
"""

from __future__ import annotations

import functools
import math
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from sevensteps.render.palette import palette

INTERVAL = 0.25  # seconds between two updates, at least
SHARE = 0.005  # of the time that updates may take
POINTS = 240  # of a curve; more would not be seen
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 150, 66, 8, 20  # of the drawing, in its own units
SOLID = 3  # curves that colour alone tells apart, as on the page
WIDE = 20  # times the least: beyond it a loss is drawn on a scale of powers of ten
# where notebooks say that they are dark: JupyterLab, VS Code, Colab
DARK = ('[data-jp-theme-light="false"]', ".vscode-dark", "html[theme=dark]")
NAME = "sevensteps-live"


@dataclass
class LiveCurve:
    """A curve that grows, of `POINTS` points at most: of more, every second one is left out."""

    name: str
    token: str  # of the palette
    soft: bool = False  # drawn thin, behind the others
    points: list[tuple[float, float]] = field(default_factory=list)
    stride: int = 1
    count: int = 0  # of all points that were added
    latest: tuple[float, float] | None = None

    def add(self, x: float, y: float) -> None:
        """Add a point, or count it where only some are kept."""
        if self.count % self.stride == 0:
            self.points.append((x, y))
            if len(self.points) > POINTS:
                del self.points[1::2]
                self.stride *= 2
        self.count += 1
        self.latest = x, y

    @property
    def drawn(self) -> list[tuple[float, float]]:
        """The points that are kept, and the latest of all."""
        if self.latest is None or self.points[-1:] == [self.latest]:
            return self.points
        return [*self.points, self.latest]


@dataclass
class LiveState:
    """What the picture shows: a headline, figures in a line, what was found, and curves."""

    headline: str
    figures: str = ""
    findings: Sequence[tuple[str, str]] = ()  # severity and sentence
    curves: Sequence[LiveCurve] = ()
    share: float | None = None  # of the way that is done; None where nobody knows

    @property
    def text(self) -> str:
        """The picture without a picture."""
        lines = [f"{self.headline}  {self.figures}".rstrip()]
        return "\n".join([*lines, *(f"{severity}: {words}" for severity, words in self.findings)])


class LiveDisplay:
    """One output of the running cell, which is replaced: the last state is what stays."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.begun = False
        self.next = time.monotonic() + INTERVAL

    @property
    def due(self) -> bool:
        """Whether it is time for an update."""
        return time.monotonic() >= self.next

    def show(self, state: LiveState) -> None:
        """Show a state now, and leave time until the next that is long beside what this took."""
        began = time.monotonic()
        content = {"text/plain": state.text, "text/html": live_html(state)}
        try:
            publish(content, self.id, update=self.begun)
        except Exception:  # of whoever shows notebooks: a training does not end for a picture
            self.next = math.inf
            return
        self.begun = True
        now = time.monotonic()
        self.next = now + max(INTERVAL, (now - began) / SHARE)


def in_notebook() -> bool:
    """Whether a cell of a notebook is what runs here: in Jupyter, VS Code, Colab and the like."""
    ipython = sys.modules.get("IPython")  # which every kernel has imported
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def publish(content: dict[str, Any], display_id: str, update: bool) -> None:
    """Show `content` in the output of the running cell, in place of what has its id."""
    sys.modules["IPython"].display.display(content, raw=True, display_id=display_id, update=update)


def live_html(state: LiveState) -> str:
    """A state as markup that needs no script and loads nothing."""
    parts = [
        f'<div class="{NAME}"><style>{_styles()}</style>',
        f"<div><b>{escape(state.headline)}</b> {escape(state.figures)}</div>",
    ]
    if state.share is not None and state.share < 1:
        parts.append(f'<div class="way"><div style="width:{100 * state.share:.1f}%"></div></div>')
    parts += [live_svg(state.curves), legend(state.curves)]
    parts += [
        f'<div class="{escape(severity)}">{escape(severity)}: {escape(words)}</div>'
        for severity, words in state.findings
    ]
    return "".join([*parts, "</div>"])


def live_svg(curves: Sequence[LiveCurve]) -> str:
    """Curves over the same steps as SVG; "" before there is anything to draw."""
    drawn = [curve for curve in curves if curve.points]
    finite = [y for curve in drawn for _, y in curve.drawn if math.isfinite(y)]
    if not finite:
        return ""
    log = min(finite) > 0 and max(finite) > WIDE * min(finite)
    scale = math.log10 if log else float
    low, high = scale(min(finite)), scale(max(finite))
    last = max(x for curve in drawn for x, _ in curve.drawn)
    first = min(x for curve in drawn for x, _ in curve.points)
    right, floor = WIDTH - 8, HEIGHT - BOTTOM

    def place(x: float, y: float) -> str:
        across = LEFT + (right - LEFT) * (x - first) / ((last - first) or 1)
        down = TOP + (floor - TOP) * (1 - (scale(y) - low) / ((high - low) or 1))
        return f"{across:.1f},{down:.1f}"

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_spoken(drawn))}">',
        f'<path class="axis" d="M{LEFT},{TOP}V{floor}H{right}"/>',
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{max(finite):.3g}</text>',
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">{min(finite):.3g}</text>',
        f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end">step {last:,.0f}</text>',
    ]
    for curve in drawn:
        kind = f"{curve.token} soft" if curve.soft else curve.token
        pieces: list[list[str]] = [[]]  # a number that is not finite leaves a gap
        for x, y in curve.drawn:
            if math.isfinite(y):
                pieces[-1].append(place(x, y))
            elif pieces[-1]:
                pieces.append([])
        parts += [_line(piece, kind) for piece in pieces if piece]
    return "".join([*parts, "</svg>"])


def legend(curves: Sequence[LiveCurve]) -> str:
    """The names of curves and where they are now; it stays where SVG is stripped."""
    entries = [
        f'<span><b class="{curve.token}">━</b> {escape(curve.name)} {last:.4g}</span>'
        for curve in curves
        for _, last in curve.drawn[-1:]
    ]
    return f'<div class="legend">{" ".join(entries)}</div>' if entries else ""


def _line(places: Sequence[str], kind: str) -> str:
    if len(places) == 1:
        x, y = places[0].split(",")
        return f'<circle class="{kind}" cx="{x}" cy="{y}" r="2"/>'
    return f'<polyline class="{kind}" points="{" ".join(places)}"/>'


def _spoken(curves: Sequence[LiveCurve]) -> str:
    return "; ".join(
        f"{curve.name} from {curve.points[0][1]:.3g} to {curve.drawn[-1][1]:.3g}"
        for curve in curves
    )


@functools.cache
def _styles() -> str:
    rules = [
        f".{NAME}{{font:14px/1.5 {palette()['sans']};max-width:720px;padding:0 8px}}",
        f".{NAME}{{{_tokens('light')}}}",
        f"{','.join(f'{dark} .{NAME}' for dark in DARK)}{{{_tokens('dark')}}}",
        f".{NAME} svg{{width:100%;height:auto;display:block;margin-top:4px}}",
        f".{NAME} svg text{{font-size:12px;fill:currentColor;opacity:.75}}",
        f".{NAME} svg path,.{NAME} svg polyline{{fill:none;stroke-width:2;stroke-linejoin:round}}",
        f".{NAME} .axis{{stroke:currentColor;opacity:.35;stroke-width:1}}",
        f".{NAME} polyline.soft{{stroke-width:1;opacity:.55}}",
        f".{NAME} .way{{height:4px;border-radius:2px;background:var(--line);margin-top:4px}}",
        f".{NAME} .way div{{height:4px;border-radius:2px;background:var(--expected)}}",
        f".{NAME} .legend span{{margin-right:16px;white-space:nowrap;font-size:13px}}",
        f"@media(max-width:500px){{.{NAME} svg text{{font-size:20px}}}}",
        f".{NAME} .error,.{NAME} .warning{{color:var(--observed)}}",
    ]
    for number in range(1, len(palette().series) + 1):
        own = f"var(--series-{number})"
        dash = ";stroke-dasharray:8 4" if number > SOLID else ""
        rules.append(f".{NAME} .series-{number}{{stroke:{own};color:{own}{dash}}}")
    return "".join(rules)


def _tokens(mode: str) -> str:
    names = [f"series-{number}" for number in range(1, len(palette().series) + 1)]
    return "".join(
        f"--{name}:{palette(mode)[name]};" for name in (*names, "line", "expected", "observed")
    )
