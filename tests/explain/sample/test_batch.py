"""A batch of samples as the table of a book, against PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sevensteps as ss


def trained(data: str, **steps: Any) -> ss.Run:
    return ss.train(data, stop="epochs(2)", out=False, watch=0, progress=False, **steps)


def test_ten_classes() -> None:
    run = trained("digits", predict="mlp(12)")
    table = run.explain.batch([3, 0, -1])
    data = ss.data.load("digits").valid
    rows = torch.tensor([3, 0, len(data) - 1])
    outputs = run.network(data.x[rows]).detach().double()
    losses = torch.nn.functional.cross_entropy(outputs, data.y[rows], reduction="none")
    assert [row.sample for row in table.rows] == rows.tolist()
    assert [row.idx for row in table.rows] == [0, 1, 2]
    for row, p, loss in zip(table.rows, outputs.softmax(1), losses, strict=True):
        assert row.values == pytest.approx(p.tolist(), abs=1e-6)
        assert row.loss == pytest.approx(float(loss), rel=1e-5)
    assert table.mean == pytest.approx(float(losses.mean()), rel=1e-5)
    assert max(map(len, str(table).splitlines())) <= 80


def test_threes_and_sevens_have_a_column_each() -> None:
    table = trained("digits37", predict="linear()").explain.batch((0, 1))
    assert table.columns == ("7", "3")
    for row in table.rows:
        assert sum(row.values) == pytest.approx(1)
    assert str(table).splitlines()[3].split() == [
        "sample", "7", "3", "targ", "idx", "loss", "truth", "answer"
    ]  # fmt: skip


def test_a_regression_has_outputs() -> None:
    table = trained("speed", predict="polynomial(2)", step="sgd(lr=1e-5)").explain.batch([0, 19])
    assert not table.probabilities
    assert table.columns == ("output 0",)
    assert table.rows[1].loss == pytest.approx(
        (table.rows[1].values[0] - table.rows[1].target) ** 2, rel=1e-5
    )


def test_what_there_is_not() -> None:
    run = trained("iris")
    with pytest.raises(ss.Error, match="give the numbers of some samples"):
        run.explain.batch([])
    with pytest.raises(ss.Error):
        run.explain.batch([0, 1000])
