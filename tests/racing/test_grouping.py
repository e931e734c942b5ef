"""Who is trained with whom: by shapes, data, order and amount of work, with the reason where a
recipe is trained alone.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.racing import grouping
from sevensteps.racing.lockstep_loop import Lockstep
from sevensteps.racing.run import RaceState, prepare_race, run_race
from sevensteps.training.recipe import Recipe
from tests.racing.alone import DATA, recipe


def parted(recipes: list[Recipe]) -> list[tuple[list[int], bool]]:
    return [
        (group.numbers, group.own) for group in grouping.plan_groups(grouping.resolve_all(recipes))
    ]


def test_one_order_is_one_group_whatever_else_differs() -> None:
    assert parted(
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
    assert parted(small) == [([0, 1, 2], True)]
    assert parted(large) == [([0], False), ([1], False), ([2], False)]
    assert parted(
        [
            recipe("digits", predict="mlp(400)", repeat="batches(256, seed=0)", seed=seed)
            for seed in range(3)
        ]
    ) == [([0, 1, 2], False)]


def test_many_of_one_seed_have_their_own_group() -> None:
    recipes = [
        *(recipe(step=f"sgd(lr={lr})") for lr in (0.1, 0.2, 0.3, 0.4)),
        recipe(seed=1),
        recipe(seed=2),
    ]
    assert parted(recipes) == [([0, 1, 2, 3], False), ([4, 5], True)]


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
def test_what_computes_otherwise_is_apart(change: dict[str, str]) -> None:
    assert parted([recipe(), recipe(**change)]) == [([0], False), ([1], False)]


def test_more_networks_than_the_cache_holds_are_parted_evenly() -> None:
    parts = parted(
        [
            recipe("digits", predict="mlp(400)", repeat="batches(256, seed=0)", seed=seed)
            for seed in range(40)
        ]
    )  # of 30,010
    assert [len(numbers) for numbers, _ in parts] == [20, 20]
    assert [number for numbers, _ in parts for number in numbers] == list(range(40))


def test_the_reason_for_being_alone_is_said() -> None:
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
    reasons = [group.why for group in grouping.plan_groups(grouping.resolve_all(recipes))]
    assert reasons[0] == "its gradient is finite_differences()"
    assert reasons[1] == "it multiplies in bf16"
    assert reasons[2] == "no other recipe has its network and its order of the samples"
    assert "draws random numbers" in reasons[3]


def test_a_network_of_yours_is_copied_for_each_and_trained_together() -> None:
    with torch.random.fork_rng():
        network = nn.Sequential(nn.Linear(4, 6), nn.Mish(), nn.Linear(6, 3))
    before = [p.detach().clone() for p in network.parameters()]
    recipes = [
        recipe(predict=network, precision="float32", step=f"sgd(lr={lr})") for lr in (0.1, 0.5)
    ]
    racing = prepare_race(grouping.resolve_all(recipes))
    assert [len(lane.active) for lane, _ in racing.locksteps] == [2]
    run_race(racing)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    one, other = racing.trainings
    assert not torch.equal(one.engine.parameters, other.engine.parameters)


def test_no_recipe_and_bad_recipes_are_refused() -> None:
    with pytest.raises(ArgumentError, match="a race of no recipes has no winner"):
        prepare_race([])
    with pytest.raises(ArgumentError, match=r"^recipe 2 of 2: "):
        grouping.resolve_all([recipe(), recipe(repeat="batches(1000)")])


def test_data_are_loaded_once_for_all() -> None:
    settled = grouping.resolve_all(
        [Recipe("digits"), Recipe("digits", seed=1), Recipe(DATA), Recipe(DATA)]
    )
    assert len({id(one.data) for one in settled}) == 2


def test_who_looks_on_after_each_round_may_end_members() -> None:
    racing = prepare_race(
        grouping.resolve_all(
            [recipe(step=f"sgd(lr={lr})", stop="epochs(5)") for lr in (0.1, 0.2, 0.3)]
        )
    )
    rounds: list[int] = []

    def after(racing: RaceState, epoch: int) -> None:
        rounds.append(epoch)
        if epoch == 2:
            member, (lane, _) = racing.members[1], racing.locksteps[0]
            member.ended = ("mine", "enough")
            lane.leave([member])

    steps: list[int] = []
    run_race(racing, after, lambda racing: steps.append(racing.trainings[0].progress.step))
    assert rounds == [1, 2, 3, 4, 5]
    assert [training.progress.epoch for training in racing.trainings] == [5, 2, 5]
    assert [member.ended and member.ended[0] for member in racing.members] == [
        "epochs",
        "mine",
        "epochs",
    ]
    assert steps == list(range(1, 21))
    assert isinstance(racing.locksteps[0][0], Lockstep)


def test_race_of_a_loader(tmp_path: object) -> None:
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(DATA.train.x, DATA.train.y), batch_size=10
    )
    assert parted(
        [
            Recipe(DATA, repeat=loader, predict=ss.mlp(3)),
            Recipe(DATA, repeat=loader, predict=ss.mlp(3)),
        ]
    ) == [([0], False), ([1], False)]
