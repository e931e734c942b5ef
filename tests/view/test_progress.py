"""The live line of a terminal and the lines of a log."""

from __future__ import annotations

import functools
import io
import re
import sys
from contextlib import redirect_stderr
from typing import Any

import pytest
import rich.console

import sevensteps as ss
from sevensteps.errors import Error
from sevensteps.training.observer import Observer
from sevensteps.view import progress
from sevensteps.view.progress import LiveLine, LogLines, metrics_line, progress_view

QUICK: dict[str, Any] = {
    "predict": "mlp(4)",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(40)",
    "stop": "epochs(3)",
    "out": False,
}
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Screen(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr(
        rich.console,
        "Console",
        functools.partial(rich.console.Console, force_terminal=True, width=80, color_system=None),
    )
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


def frames(screen: Screen) -> list[str]:
    """What stood on the line, one after the other."""
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "\r", screen.getvalue())
    return [frame.strip() for frame in re.split(r"[\r\n]+", plain) if frame.strip()]


@pytest.mark.parametrize(
    ("wanted", "tty", "kind"),
    [
        (None, False, None),
        (False, False, None),
        (True, False, LogLines),
        (None, True, LiveLine),
        (True, True, LiveLine),
        (False, True, None),
    ],
)
def test_a_live_line_needs_a_terminal(
    wanted: bool | None, tty: bool, kind: type | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Screen() if tty else io.StringIO())
    with progress_view(wanted) as views:
        assert [type(view) for view in views] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        (
            {"loss": 0.123456, "accuracy": 0.97222, "by_class": {"a": 1.0}},
            "loss 0.1235  accuracy 0.9722",
        ),
        ({"loss": 123456.0, "r2": -0.5}, "loss 1.235e+05  r2 -0.5000"),
        ({"r2": None, "loss": 2.0}, "loss 2"),
        ({"loss": float("nan"), "r2": float("-inf")}, "loss nan  r2 -inf"),
    ],
)
def test_measures_as_text(metrics: dict[str, Any], text: str) -> None:
    assert metrics_line(metrics) == text


def test_a_log_is_silent_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    ss.train("xor", **QUICK)
    assert capsys.readouterr() == ("", "")


def test_a_log_has_a_line_for_each_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    run = ss.train("xor", **QUICK, progress=True)
    written = capsys.readouterr()
    assert written.out == ""
    for row, line in zip(run.history, written.err.splitlines(), strict=True):
        rate = re.search(r"  [\d,]+ samples/s", line)
        assert rate is not None
        assert line.replace(rate.group(), "") == (
            f"epoch {row['epoch']}  step {row['step']}  train loss {row['train']['loss']:.4g}  "
            f"valid {metrics_line(row['valid'])}  "
            f"{row['seconds']:.1f} s"
        )


def test_a_log_of_a_training_without_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    ss.train("xor", **{**QUICK, "stop": "epochs(0)"}, progress=True)
    [line] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"epoch 0  step 0  train loss [\d.]+  valid loss [\d.]+  accuracy 0\.\d{4}  0\.0 s", line
    )


def test_the_live_line(screen: Screen) -> None:
    with redirect_stderr(screen):
        run = ss.train("xor", **QUICK)
    shown = frames(screen)
    assert max(map(len, shown)) <= 80
    steps = [frame for frame in shown if "/s" in frame]
    assert [frame.split()[1] for frame in steps[:12]] == ["1/3"] * 4 + ["2/3"] * 4 + ["3/3"] * 4
    assert all(re.search(r"loss \d\.\d{4}", frame) for frame in steps)
    assert "accuracy" not in steps[0], "nothing has been judged yet"
    assert f"accuracy {run.history[0]['valid']['accuracy']:.4f}" in steps[4]
    assert f"accuracy {run.history[1]['valid']['accuracy']:.4f}" in steps[-1]
    assert re.search(r" [\d,]+/s ", steps[-1])
    text = screen.getvalue()
    assert text.count(HIDE_CURSOR) == text.count(SHOW_CURSOR) == 1
    assert text.index(HIDE_CURSOR) < text.index(SHOW_CURSOR)


def test_the_live_line_of_a_training_without_a_known_end(screen: Screen) -> None:
    with redirect_stderr(screen):
        ss.train(
            "speed", predict="polynomial(1)", step="sgd(lr=1e-4)", stop="loss_below(1e9)", out=False
        )
    shown = [frame for frame in frames(screen) if "/s" in frame]
    assert shown
    assert all(re.match(r"epoch 1 ", frame) for frame in shown)


def test_the_terminal_is_restored_when_a_training_fails(screen: Screen) -> None:
    class Refusing(Observer):
        def stepped(self, training: Any) -> None:
            if training.progress.step == 5:
                raise Error("something broke")

    with redirect_stderr(screen), pytest.raises(Error, match="something broke"):
        ss.train("xor", **QUICK, observers=[Refusing()])
    assert screen.getvalue().rindex(SHOW_CURSOR) > screen.getvalue().rindex(HIDE_CURSOR)
