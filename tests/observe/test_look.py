"""A look at several networks is one look, and each network has its own."""

from __future__ import annotations

import torch

from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Change, Look, Signal


def signal(number: float) -> Signal:
    return Signal(*(torch.full((2,), number) for _ in range(5)))


def looks() -> Look:
    look = Look(3, 0.5)
    for name, number in (("G", 1.0), ("D", 2.0)):
        look.networks[name] = Look(
            3,
            0.5,
            batch=int(number),
            signals={"hidden": signal(number)},
            changes={"hidden.weight": Change(torch.full((2,), number))},
            output=torch.full((2, 1), number),
        )
    return look


def test_signals_and_changes_of_all_networks_have_the_network_s_name() -> None:
    look = looks()
    look.merge_signals()
    assert {name: float(s.mean[0]) for name, s in look.signals.items()} == {
        "G.hidden": 1.0,
        "D.hidden": 2.0,
    }
    assert list(look.changes) == ["G.hidden.weight", "D.hidden.weight"]


def test_it_shows_the_output_of_one_of_them() -> None:
    look = looks()
    look.show("D")
    assert (look.shown, look.batch) == ("D", 2)
    assert look.output is not None
    assert look.output.flatten().tolist() == [2.0, 2.0]


def test_a_network_has_the_terms_of_the_loss_that_reach_it() -> None:
    look = looks()
    look.loss_terms = tuple(
        LossTerm(name, network=network)
        for name, network in (("real", "D"), ("fake", "G"), ("penalty", None))
    )
    own = look.of("G")
    assert own is not None
    assert [term.name for term in own.loss_terms] == ["fake", "penalty"]
    assert look.of("E") is None
