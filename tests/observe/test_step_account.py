"""The account of a step is one of plain values: it is stored, read back, and split by networks."""

from __future__ import annotations

import json
import math

import pytest

from sevensteps.observe.look import Look
from sevensteps.observe.step_account import (
    GroupAccount,
    ParameterAccount,
    StepAccount,
    Stranger,
    joint_norm,
)
from sevensteps.observe.stored_look import deserialize_look, serialize_look

ACCOUNT = StepAccount(
    {
        "G.weight": ParameterAccount(
            6, "float32", 0, 1, 1, 0, 0.0, 2.0, 1.5, True, 0.1, 0.01, 6, 2
        ),
        "D.weight": ParameterAccount(2, "bfloat16", 1, 3, 1, 2, 3.0, math.inf, None),
        "D.bias": ParameterAccount(1, "float32", 2, 1, 1, leftover=4.0),
    },
    (
        GroupAccount(0, "Adam", 1e-3, steps=1),
        GroupAccount(1, "SGD", 0.1, 0.5, 0.01, 2, 1024.0),
        GroupAccount(1, "SGD", 0.2),
    ),
    (Stranger("D.hidden[0].weight", (2, 3), 1.5),),
)


def test_an_account_is_stored_with_its_look_and_read_back() -> None:
    again = StepAccount.from_dict(json.loads(json.dumps(ACCOUNT.to_dict())))
    assert again == ACCOUNT
    look = deserialize_look(*serialize_look(Look(3, 1.0, account=ACCOUNT)))
    assert look.account == ACCOUNT
    whole = Look(3, 1.0, networks={"D": Look(3, 1.0, account=ACCOUNT.of("D"))})
    look = deserialize_look(*serialize_look(whole))
    assert look.account is None
    assert look.networks["D"].account == ACCOUNT.of("D")


def test_a_look_of_an_older_file_has_no_account() -> None:
    text, content = serialize_look(Look(3, 1.0, leftover_gradient=0.5))
    numbers = json.loads(text)
    del numbers["account"]
    look = deserialize_look(json.dumps(numbers), content)
    assert (look.account, look.leftover_gradient) == (None, 0.5)


def test_an_account_of_one_network_is_in_its_own_names() -> None:
    own = ACCOUNT.of("D")
    assert set(own.parameters) == {"weight", "bias"}
    assert own.strangers == (Stranger("hidden[0].weight", (2, 3), 1.5),)
    assert ACCOUNT.of("G").strangers == ()
    assert set(own.of_optimizer(1)) == {"weight", "bias"}
    assert own.of_optimizer(0) == {}
    assert own.leftover == 5


def test_norms_of_parts_make_that_of_the_whole() -> None:
    assert joint_norm([3.0, None, 4.0]) == pytest.approx(5)
    assert joint_norm([]) == 0
