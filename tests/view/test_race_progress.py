"""What a race prints on the way: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import pytest

from sevensteps.racing.grouping import resolve_all
from sevensteps.racing.ray_tasks import RayProgress
from sevensteps.racing.run_race import prepare_race, run_race
from sevensteps.view import live_picture, race_progress
from sevensteps.view.race_progress import RaceLine, RaceLog, race_view
from tests.racing.alone import recipe


def test_a_log_has_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race_progress, "LOG_SECONDS", 0.0)
    running = prepare_race(resolve_all([recipe(stop="epochs(3)"), recipe(stop="epochs(2)")]))
    run_race(running, report=RaceLog())
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["epoch 1 done", "epoch 2 done"]
    assert "2 of 2 in the race, best accuracy 0." in lines[0]
    assert "1 of 2 in the race" in lines[1]


def test_a_live_line_is_drawn_and_taken_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race_progress, "REDRAW", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    running = prepare_race(
        resolve_all([recipe(stop="epochs(3)"), recipe(stop="epochs(2) | patience(1)")])
    )
    live = RaceLine()
    run_race(running, report=live)
    live.close()
    printed = capsys.readouterr().err
    assert "epoch 1" in printed
    assert "2 of 2 in the race" in printed
    assert "best accuracy" in printed


def test_a_notebook_shows_how_far_a_race_on_ray_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(race_progress, "in_notebook", lambda: True)
    monkeypatch.setattr(
        live_picture, "publish", lambda content, name, update: shown.append(content["text/html"])
    )
    with race_view(None, on_ray=True) as report:
        assert report is not None
        for done in range(3):
            report(RayProgress(done, 2, 1, 4, {"accuracy": 0.9} if done else None))
    assert "0 of 2 groups done, 1 machine, 4 CPUs" in shown[0]
    assert 'style="width:50.0%"' in shown[1]
    assert "2 of 2 groups done, best accuracy 0.9000" in shown[-1]


def test_nothing_is_printed_where_it_is_not_wanted() -> None:
    with race_view(False) as report:
        assert report is None
    with race_view(True) as report:
        assert isinstance(report, RaceLog)
