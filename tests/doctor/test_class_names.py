"""Classes are named where names are known, and counted where there are many."""

from __future__ import annotations

from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.class_names import class_name, class_subject
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def test_names_else_numbers() -> None:
    case = Case(Observation(network_facts(nn.Identity())), None, classes=("wren", "tit", "finch"))
    assert [class_name(case, number) for number in (0, 2, 3, -1)] == ["wren", "finch", "3", "-1"]
    assert class_subject(case, [1]) == ("Class tit", False)
    assert class_subject(case, [0, 1, 2]) == ("Classes wren, tit and finch", True)
    case.classes = ()
    assert class_subject(case, range(9)) == ("Classes 0, 1, 2, 3, 4 and 4 more", True)
