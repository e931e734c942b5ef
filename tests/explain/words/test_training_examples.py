"""Examples of the words for a training, against the run's own numbers."""

from __future__ import annotations

import pytest
import torch

import sevensteps as ss
from tests.explain.words.conftest import numbers


def test_the_learning_rate_moved_a_weight(run: ss.Run) -> None:
    found, step = numbers(run, "learning rate"), run.explain.steps(0)
    assert found == {
        "lr": 0.1,
        "weight": step.weight.name,
        "old": step.weight.old,
        "new": step.weight.new,
    }
    assert found["new"] == pytest.approx(found["old"] - 0.1 * step.weight.gradient, rel=1e-5)


def test_a_plateau_is_shown_where_there_is_one() -> None:
    flat = ss.train("speed", book=True, out=False, watch=0)
    text = " ".join(str(flat.explain.words("plateau")).split())
    assert "from epoch 7 to 10 the training loss only went from 631" in text
    steep = ss.train("digits", predict="mlp(30)", stop="epochs(5)", out=False, watch=0)
    assert "by 1 % or more in nearly" in str(steep.explain.words("plateau"))


def test_memorisation_compares_the_scores_of_the_two_parts() -> None:
    draw = torch.Generator().manual_seed(0)
    noise = ss.data.from_arrays(torch.randn(60, 200, generator=draw), torch.arange(60) % 2)
    by_heart = ss.train(noise, predict="mlp(30)", stop="epochs(60)", out=False, watch=0)
    text = " ".join(str(by_heart.explain.words("memorisation")).split())
    assert "accuracy is 1 on the training samples" in text
    assert text.endswith("the difference is what it knows of the first by heart")
    flat = ss.train("speed", book=True, out=False, watch=0)
    assert "does not fit its training samples either" in " ".join(
        str(flat.explain.words("memorisation")).split()
    )
