"""Pictures drawn by matplotlib: their one look, how an answer is drawn, where its figure may be
written.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.errors import ArgumentError
from sevensteps.render.palette import Palette, palette

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
DPI = 150
# the kinds of matplotlib's settings that make the look of a figure
LOOKS = re.compile(
    "(axes|contour|errorbar|figure|font|grid|hatch|hist|image|legend|lines|markers|mathtext|patch"
    r"|savefig|scatter|text|[xy]axis|[xy]tick)\."
)
# the type scale, in points: headline of a figure, title of a panel, labels, ticks and legends
HEADLINE, TITLE, LABEL, SMALL = 12.0, 10.0, 9.0, 8.0


def require_drawable(path: Path) -> None:
    """Raise `ArgumentError` where no figure can be saved to `path`: it is no .png or .svg, its
    folder does not exist, or matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ArgumentError(f"a plot is written as .png or .svg, not as {path.name!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError(
            "drawing needs matplotlib, which is not installed; write: "
            f"{shlex.join([sys.executable or 'python', '-m', 'pip', 'install', 'matplotlib'])}"
        )
    if not path.parent.is_dir():
        raise ArgumentError(f"{path} cannot be written: there is no folder {path.parent}")


@contextmanager
def figure_style() -> Iterator[Palette]:
    """The look of figures inside the block, whatever style matplotlib has outside of it, and the
    palette: the dark one where that style is dark.
    """
    import matplotlib

    mode = _mode()
    settings: Any = {**_defaults(), **_style(mode)}
    with matplotlib.rc_context(settings):
        yield palette(mode)


def current_palette() -> Palette:
    """The palette of the figure that is being drawn."""
    return palette(_mode())


def _mode() -> str:
    """The mode of matplotlib's style as it is now: "light" or "dark"."""
    import matplotlib
    from matplotlib.colors import to_rgb

    return "dark" if sum(to_rgb(matplotlib.rcParams["axes.facecolor"])) < 1.5 else "light"


@functools.cache
def _defaults() -> dict[str, Any]:
    """matplotlib's own values of what makes the look of a figure."""
    import matplotlib

    return {name: value for name, value in matplotlib.rcParamsDefault.items() if LOOKS.match(name)}


@functools.cache
def _style(mode: str) -> dict[str, Any]:
    from cycler import cycler
    from matplotlib import font_manager

    colours = palette(mode)
    installed = set(font_manager.get_font_names())
    families = [name for name in colours.typefaces if name in installed]
    return {
        # by name: a generic family would be looked up when the figure is drawn, outside the block
        "font.family": [*families, "DejaVu Sans"],
        "font.size": LABEL,
        "figure.dpi": DPI,
        "figure.titlesize": HEADLINE,
        "figure.titleweight": "bold",
        "figure.facecolor": colours["raised"],
        "savefig.facecolor": colours["raised"],
        "axes.facecolor": colours["raised"],
        "axes.edgecolor": colours["ink-faint"],
        "axes.labelcolor": colours["ink-soft"],
        "axes.labelsize": LABEL,
        "axes.linewidth": 0.8,
        "axes.titlesize": TITLE,
        "axes.titlelocation": "left",
        "axes.titlepad": 8.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=colours.series),
        "grid.color": colours["line"],
        "grid.linewidth": 0.7,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "legend.labelcolor": colours["ink"],
        "lines.linewidth": 1.8,
        "lines.solid_capstyle": "round",
        "text.color": colours["ink"],
        **{f"{side}tick.{what}": value for side in "xy" for what, value in _ticks(colours)},
    }


def _ticks(colours: Palette) -> list[tuple[str, Any]]:
    return [
        ("color", colours["ink-faint"]),
        ("labelcolor", colours["ink-soft"]),
        ("labelsize", SMALL),
        ("major.size", 3.0),
        ("minor.size", 1.5),
    ]


@contextmanager
def drawn_figure(path: Path | str | None = None) -> Iterator[Figure]:
    """An empty figure to draw into inside the block, in our look, and saved to `path` at its end if
    one is given. matplotlib is imported only here.

    Raises `ArgumentError` if matplotlib is not installed, or if `path` cannot be written.
    """
    require_drawable(Path(path or "picture.png"))
    with figure_style() as colours:
        figure = _picture_class()(layout="constrained")
        yield figure
        for axes in figure.axes:  # later ticks take their look from here, not from matplotlib's
            axes.tick_params(which="both", labelsize=SMALL, labelcolor=colours["ink-soft"])
            axes.tick_params(which="both", color=colours["ink-faint"])
        _no_formulas(figure)
        save_figure(figure, path)


def _no_formulas(figure: Figure) -> None:
    """Dollar signs in names of classes, columns and layers stand for themselves."""
    from matplotlib.text import Text
    from matplotlib.ticker import LogFormatter

    powers: set[int] = set()  # labels of logarithmic axes, which are formulas
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                powers.update(map(id, axis.get_ticklabels(which="both")))
                powers.add(id(axis.get_offset_text()))
            else:
                axis.get_ticklabels()  # which are made when they are asked for
    for text in figure.findobj(Text):
        if id(text) not in powers:
            text.set_parse_math(False)


@functools.cache
def _picture_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A figure that a notebook shows, whether or not pyplot was imported in it."""

        def _repr_png_(self) -> bytes:
            content = io.BytesIO()
            self.savefig(content, format="png", dpi=DPI)
            return content.getvalue()

    return Picture


def save_figure(figure: Any, path: Path | str | None) -> Any:
    """Save `figure` to `path`, unless that is None, and return it. Raises `ArgumentError` where the
    file cannot be written.
    """
    if path is not None:
        try:
            figure.savefig(path)
        except OSError as failure:
            raise ArgumentError(
                f"{path} cannot be written: {failure.strerror or failure}"
            ) from None
    return figure


def headline(figure: Any, text: str) -> None:
    """The headline of a figure, on the left."""
    figure.suptitle(text, x=0.012, ha="left")


def diverging() -> Colormap:
    """The colours of numbers of both signs: below 0 blue, above 0 orange, 0 as the ground."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = current_palette()
    ends = colours["expected"], colours["raised"], colours["observed"]
    return LinearSegmentedColormap.from_list("sevensteps-diverging", ends)


def sequential() -> Colormap:
    """The colours of amounts: none as the ground, most in blue."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = current_palette()
    return LinearSegmentedColormap.from_list(
        "sevensteps-sequential", (colours["raised"], colours["expected"])
    )


def plot(answer: object, path: Path | str | None = None) -> Figure:
    """The picture of an answer as a matplotlib figure, written to `path` (.png or .svg) if given.

    Raises `ArgumentError` if matplotlib is not installed, if the answer has no picture, or if
    `path` cannot be written.
    """
    with drawn_figure(path) as figure:
        draw_figure(answer, figure)
    return figure


@singledispatch
def draw_figure(answer: object, figure: Figure) -> None:
    """Draw the answer into an empty matplotlib `figure`. One function a class that has a picture.

    Raises `ArgumentError` for an answer without one.
    """
    raise ArgumentError("this answer is words and numbers alone; there is no picture of it")
