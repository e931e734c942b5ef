"""The figure of a race: a line and a shadow for each recipe, the best named first."""

from __future__ import annotations

import math

import sevensteps as ss
from sevensteps.racing.figure import plot_race
from sevensteps.racing.leaderboard import LeaderboardRow
from tests.racing.alone import DATA, PLAIN


def row(label: str, members: list[int]) -> LeaderboardRow:
    return LeaderboardRow(label, {}, members, members, 0.5, None, 0.5, 0.5, 1.0, 1.0, {})


def test_means_and_ranges_over_the_seeds() -> None:
    axes = plot_race(
        [row("one", [0, 1]), row("two", [2])],
        [[0.1, 0.5], [0.3, math.nan], [0.2]],
        "accuracy",
        "iris",
    ).axes[0]
    lines = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
    }
    assert lines == {"one": ([1, 2], [0.2, 0.5]), "two": ([1], [0.2])}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "validation accuracy")


def test_a_race_draws_itself() -> None:
    race = ss.race(
        ss.grid(ss.Recipe(DATA, **PLAIN), step=["sgd(lr=0.01)", "sgd(lr=0.5)"], seeds=2),
        out=False,
        watch=0,
    )
    assert [line.get_label() for line in race.plot().axes[0].get_lines()][::-1] == [
        row.label for row in race.table
    ]
