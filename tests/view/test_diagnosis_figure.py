"""A diagnosis as a figure: its verdict, the curve, and the evidence."""

from __future__ import annotations

from pathlib import Path

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis


def texts(figure: object) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]  # type: ignore[attr-defined]


def test_what_is_wrong_where_it_began_and_the_evidence(faulty_run: ss.Run, tmp_path: Path) -> None:
    diagnosis = faulty_run.diagnosed()
    first = diagnosis.findings[0]
    figure = diagnosis.plot(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    words = " ".join(texts(figure))
    assert first.condition in words
    assert first.evidence[0].measure in words
    assert f"from step {first.onset}" in words
    assert "→ step = sgd" in words


def test_a_loop_of_ones_own(watched_diagnosis: Diagnosis) -> None:
    words = " ".join(texts(watched_diagnosis.plot()))
    assert "output_loss_mismatch" in words
    assert "each step" in words


def test_a_healthy_training_accuses_nobody(healthy_run: ss.Run) -> None:
    figure = healthy_run.diagnosed().plot()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Loss", "Accuracy"]
    assert not any("observed" in text or "→" in text for text in texts(figure))


def test_markup_and_formulas_in_names_are_text(hostile_run: ss.Run) -> None:
    hostile_run.diagnosed().plot().canvas.draw()
    hostile_run.plot().canvas.draw()
