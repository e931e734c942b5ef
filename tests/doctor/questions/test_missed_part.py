"""What a network leaves out is missed where it tells more of the targets, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.missed_part import MissedPart, missed_part
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws
SEEDS = range(3)


class First(nn.Module):
    """Three of six columns, whatever stands beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 1)

    def forward(self, x: Tensor, *aside: Tensor) -> Tensor:
        answer: Tensor = self.head(x[:, :3])
        return answer


def missed(x: Any, y: Tensor, path: str, *places: tuple[int, int]) -> MissedPart:
    network = First()
    case = Case(Observation(network_facts(network)), network, train=(x, y))
    vars(case).update(task="regression" if y.is_floating_point() else "binary")
    answer = missed_part(case, path, places)
    assert case.not_judged == []
    assert answer is not None
    return answer


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_that_tell_and_columns_that_do_not(seed: int) -> None:
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(seed))
    y = (x[:, 0] + x[:, 4])[:, None]
    both = missed(x, y, "", (3, 5))
    assert both.without < 0.6
    assert both.with_it > 0.95
    of_it_all = missed(x, x[:, :1].clone(), "", (3, 5))
    assert of_it_all.with_it - of_it_all.without < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_question_of_which_the_answer_is_a_product(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(300, 6, generator=draw)
    asked = torch.randint(2, (300,), generator=draw)
    y = torch.where(asked == 0, x[:, 0] > 0, x[:, 0] < 0).long()
    both = missed((x, asked), y, "1")
    assert both.without < 0.65
    assert both.with_it > 0.85


def test_few_samples_are_not_asked() -> None:
    network = First()
    case = Case(Observation(network_facts(network)), network, train=(torch.randn(40, 6),) * 2)
    assert missed_part(case, "") is None


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_used_inputs_tell_as_well_is_not_missed(seed: int) -> None:
    """The network loses it later, as behind a layer that nothing trains."""
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(seed))
    x[:, 4] = x[:, 1]
    narrow = nn.Linear(6, 3)
    with torch.no_grad():
        narrow.weight.zero_()
        narrow.weight[0, 0] = 1
    blind = nn.Sequential(narrow, First())
    case = Case(Observation(network_facts(blind)), blind, train=(x, x[:, 1:2].clone()))
    vars(case).update(task="regression")
    answer = missed_part(case, "", ((3, 5),))
    assert answer is not None
    assert answer.with_it - answer.without < 0.05
