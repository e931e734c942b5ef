"""Which recipes are trained together: by shapes, data, order and amount of work, and why not."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.racing.grouping import plan_groups, resolve_all
from sevensteps.training.recipe import Recipe
from tests.racing.alone import DATA, recipe


def groups(recipes: list[Recipe]) -> list[tuple[list[int], bool]]:
    return [(group.numbers, group.own_order) for group in plan_groups(resolve_all(recipes))]


def test_one_order_is_one_group_whatever_else_differs() -> None:
    assert groups(
        [
            recipe(step="sgd(lr=0.1)"),
            recipe(step="adam(lr=0.01)", stop="epochs(9)"),
            recipe(initialize="zeros()"),
            recipe(gradient="chain_rule(clip=1.0)"),
        ]
    ) == [([0, 1, 2, 3], False)]


def test_seeds_have_orders_of_their_own_and_are_together_where_there_is_little_work() -> None:
    small, large = (
        [recipe(seed=seed) for seed in range(3)],
        [
            recipe("digits", predict="mlp(400)", repeat="batches(256)", seed=seed)
            for seed in range(3)
        ],
    )
    assert groups(small) == [([0, 1, 2], True)]
    assert groups(large) == [([0], False), ([1], False), ([2], False)]
    assert groups(
        [
            recipe("digits", predict="mlp(400)", repeat="batches(256, seed=0)", seed=seed)
            for seed in range(3)
        ]
    ) == [([0, 1, 2], False)]


@pytest.mark.skipif(find_spec("numba") is None, reason="needs Numba")
def test_the_chain_rule_and_its_machine_code_are_one_group() -> None:
    recipes = [recipe(gradient="compiled()"), recipe(gradient="chain_rule()"), recipe()]
    assert groups(recipes) == [([0, 1, 2], False)]


def test_many_of_one_seed_have_their_own_group() -> None:
    recipes = [
        *(recipe(step=f"sgd(lr={lr})") for lr in (0.1, 0.2, 0.3, 0.4)),
        recipe(seed=1),
        recipe(seed=2),
    ]
    assert groups(recipes) == [([0, 1, 2, 3], False), ([4, 5], True)]


@pytest.mark.parametrize(
    "change",
    [
        {"predict": "mlp(6)"},
        {"predict": "mlp(5)"},
        {"loss": "mean_squared_error()"},
        {"repeat": "batches(8)"},
        {"precision": "float32"},
        {"gradient": "chain_rule(accumulate=2)"},
        {"gradient": "autograd()"},
        {"threads": 2},
        {"repeat": "full_batch()"},
    ],
)
def test_what_computes_differently_is_apart(change: dict[str, str]) -> None:
    assert groups([recipe(), recipe(**change)]) == [([0], False), ([1], False)]


def test_more_networks_than_fit_into_the_cache_are_split_evenly() -> None:
    # of 30,010
    parts = groups(
        [
            recipe("digits", predict="mlp(400)", repeat="batches(256, seed=0)", seed=seed)
            for seed in range(40)
        ]
    )
    assert [len(numbers) for numbers, _ in parts] == [20, 20]
    assert [number for numbers, _ in parts for number in numbers] == list(range(40))


def test_a_plan_says_why_a_recipe_is_trained_alone() -> None:
    def dropping() -> nn.Module:
        with torch.random.fork_rng():
            return nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 3))

    recipes = [
        recipe(gradient="finite_differences()"),
        recipe(precision="bf16"),
        recipe(),
        recipe(predict=dropping(), precision="float32"),
        recipe(predict=dropping(), precision="float32"),
    ]
    reasons = [group.why_alone for group in plan_groups(resolve_all(recipes))]
    assert reasons[0] == "its gradient is finite_differences()"
    assert reasons[1] == "it multiplies in bf16"
    assert reasons[2] == "no other recipe has its network and its order of the samples"
    assert "draws random numbers" in reasons[3]


def test_a_bad_recipe_is_refused_with_its_number() -> None:
    with pytest.raises(ArgumentError, match=r"^recipe 2 of 2: "):
        resolve_all([recipe(), recipe(repeat="batches(1000)")])


def test_data_are_loaded_once_for_all() -> None:
    resolved = resolve_all([Recipe("digits"), Recipe("digits", seed=1), Recipe(DATA), Recipe(DATA)])
    assert len({id(entry.data) for entry in resolved}) == 2


def test_batches_of_a_loader_are_trained_alone() -> None:
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(DATA.train.x, DATA.train.y), batch_size=10
    )
    assert groups(
        [
            Recipe(DATA, repeat=loader, predict=ss.mlp(3)),
            Recipe(DATA, repeat=loader, predict=ss.mlp(3)),
        ]
    ) == [([0], False), ([1], False)]
