"""Weights that no optimizer has, or could have: a part of `parameters_not_updated`."""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.measures import learned_enough, total_norm
from sevensteps.doctor.not_updated_finding import listed, not_updated_finding
from sevensteps.doctor.questions.weights_outside import parameters_of_one_forward, tensors_as_drawn
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.observe.network_facts import ParameterFacts
from sevensteps.observe.step_account import StepAccount

MOST_PLAIN = 0.2  # of all weights, that are tensors and no parameters


def left_out(case: Case, total: int) -> Finding | None:
    """A network without an optimizer beside two optimizers that have the same parameters."""
    left = case.observation.notes.get("left_out")
    if left is None or left[3] == 1:
        return None
    name, kind, count, _ = left
    network = case.facts.network
    return not_updated_finding(
        case,
        [],
        count / (count + total),
        0.98,
        f"Two optimizers hold the same parameters, those of {network}, and none holds those of "
        f"{_named(name, kind)}: its {count:,} parameters get gradients and "
        f"are never moved, and each step of either optimizer moves {network}, also by what was to "
        f"train {name}.",
        "a gradient, and no optimizer",
        f"build one of the two from {name}.parameters()",
        by_optimizer=False,
    )


def beside_unreached(case: Case) -> tuple[str, str] | None:
    """(a sentence, advice) on a network without an optimizer beside an optimizer whose parameters
    no backward pass reaches; None where there is none.
    """
    left = case.observation.notes.get("left_out")
    if left is None:
        return None
    name, kind, count, _ = left
    return (
        f"The gradients go to {_named(name, kind)}, whose {count:,} parameters no optimizer holds: "
        "they are never moved.",
        f"build the optimizer from {name}.parameters()",
    )


def _named(name: str, kind: str) -> str:
    return f"{name} ({kind})" if kind != name else name


def unregistered(case: Case, total: int, accounts: list[StepAccount]) -> Finding | None:
    """Layers that the network has and has not registered, and that never change."""
    seen = [a.strangers for a in accounts if a.strangers is not None]
    if len(seen) < 2:
        return None
    first, last = ({s.place: s for s in strangers} for strangers in (seen[0], seen[-1]))
    still = [
        s
        for place, s in last.items()
        if place in first and s.shape == first[place].shape and s.length == first[place].length
    ]
    count = sum(math.prod(s.shape) for s in still)
    share = count / (count + total)
    if share < 0.02:
        return None
    names = [s.place for s in still]
    return not_updated_finding(
        case,
        names,
        share,
        0.97,
        f"{count:,} parameters that the loss depends on belong to no module of "
        f"{case.facts.network}: {listed(names)}. model.parameters() does not have them, so that no "
        "optimizer moves them: they stay as they were drawn.",
        "a gradient, but no module and no optimizer",
        "layers in a plain list or dictionary are not registered: use nn.ModuleList, "
        "nn.ModuleDict or nn.Parameter",
    )


def orphans(
    case: Case, trained: dict[str, ParameterFacts], accounts: list[StepAccount]
) -> Finding | None:
    """Parameters that get gradients and that no optimizer has."""
    orphans = [name for name in trained if _is_orphan(case, name, accounts)]
    if not orphans:
        return None
    total = sum(math.prod(p.shape) for p in trained.values())
    share = sum(math.prod(trained[name].shape) for name in orphans) / total
    stranger = len(orphans) == len(trained) and case.facts.strangers
    return not_updated_finding(
        case,
        orphans,
        share,
        0.97,
        "The optimizer holds the parameters of another network, not of the one that is "
        "trained: gradients are computed, and nothing moves."
        if stranger
        else f"No optimizer holds {listed(orphans)}: {share:.0%} of the parameters "
        "get gradients and are never moved.",
        "no optimizer group",
        "build the optimizer from model.parameters() after the model is complete; freeze on "
        "purpose with requires_grad_(False)",
    )


def _is_orphan(case: Case, name: str, accounts: list[StepAccount]) -> bool:
    """Whether a parameter gets gradients, no optimizer has it, and nothing moves it."""
    if not case.facts.groups:
        return False
    if not accounts:
        return case.facts.parameters[name].group is None
    rows = [a.parameters[name] for a in accounts if name in a.parameters]
    if not rows or any(p.group is not None for p in rows) or not any(p.passes for p in rows):
        return False
    changes = [look.changes[name] for look in case.looks if name in look.changes]
    lengths = [total_norm(c.weight) for c in changes]
    return not any(p.update for p in rows) and (not lengths or max(lengths) == min(lengths))


def drawn_in_each_call(case: Case, trained: dict[str, ParameterFacts]) -> Finding | None:
    """Parameters that each forward pass makes, uses once and forgets."""
    if case.before_training or not (made := parameters_of_one_forward(case)):
        return None
    count = sum(math.prod(shape) for shape in made)
    share = count / (count + sum(math.prod(p.shape) for p in trained.values()))
    shapes = ", ".join(str(list(shape)) for shape in made[:3])
    return not_updated_finding(
        case,
        [],
        share,
        0.95,
        f"Each call of {case.facts.network} makes parameters of its own, of shape {shapes}: two "
        "calls on the same samples use different ones, drawn anew. No optimizer ever has them, and "
        "whatever stands before them learns for weights that are gone in the next step.",
        "parameters of one answer that the next does not know",
        "make the layer once, in __init__, and only call it in forward(); nn.LazyLinear where its "
        "size is not known yet",
        by_optimizer=False,
    )


def plain_tensors(case: Case, trained: dict[str, ParameterFacts]) -> Finding | None:
    """Tensors as drawn that the network has for weights, where even a simple model does better."""
    if case.before_training or learned_enough(case, 0.6):
        return None
    tensors = tensors_as_drawn(case)
    count = sum(t.numel() for t in tensors.values())
    share = count / (count + sum(math.prod(p.shape) for p in trained.values()))
    if share < MOST_PLAIN or not worse_than_simple_model(case, 0.2):
        return None
    return not_updated_finding(
        case,
        list(tensors),
        share,
        0.85,
        f"{listed(list(tensors))} are tensors, no parameters: model.parameters() does not have "
        "them, and their numbers are as they were drawn. The network cannot learn with the rest "
        "what even a simple model finds.",
        "neither parameter nor buffer, and distributed as drawn",
        "nn.Parameter(0.1 * torch.randn(…)): what is computed from a parameter, as "
        "nn.Parameter(…) * 0.1 or .to(device), is none",
        by_optimizer=False,
    )
