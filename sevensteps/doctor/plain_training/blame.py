"""Which of the seven steps keeps a network from learning: a copy is trained anew plainly, and where
that learns far more than the training did, again with one step at a time as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.fed_data import comparison, few_rows, in_order
from sevensteps.doctor.measures import ADAPTIVE, SHORT_PATH, optimizer_name, path_of_steps
from sevensteps.doctor.plain_training.copy_training import (
    KNOWN,
    OPTIMIZERS,
    Plan,
    fed_batches,
    is_left_out,
    own_batch_size,
    own_rates,
    redraw,
    signs_of,
    start_as_it_was,
)
from sevensteps.doctor.plain_training.experiment import LEAST_STEPS, NAME, Experiment, experiment_of
from sevensteps.doctor.room_for_rate import WAY

ENOUGH = 0.75  # of the way to perfect answers, of which nobody asks for more
FAR = 0.25  # of that way, further than the training came
LEAST = 0.3  # of that way, that a copy comes
HALF = 0.5  # of what a copy has learned more, that is lost with a step as it was
SMALL, LARGE = 0.05, 20.0  # spread of inputs
OFF = 5.0  # mean of inputs, in their spread
FEW = 8  # samples of a batch
SHORTER = 4  # times as few steps, in which a copy need not have learned as much
LONGER = 10.0  # times the learning rate, at most, in place of as many more steps
HIGHER, LOWER = (100.0, 10.0, 1000.0), (0.1, 0.01, 0.001)  # times the rate, that are tried


@dataclass(frozen=True)
class Tried:
    """A copy with `what` as it was, and its score or loss."""

    what: str
    value: float


@dataclass
class Blame:
    """What copies trained anew show. `condition` is what the step to blame has; "" where a plain
    training learns and none of what could be tried says why, or where it does not learn either
    (`plain_learns`).
    """

    experiment: Experiment
    plain: float
    plan: Plan
    plain_learns: bool
    condition: str = ""
    step: str = ""
    tried: list[Tried] = field(default_factory=list)
    names: tuple[str, ...] = ()  # of parameters
    factor: float = 1.0  # of the rate that cures
    setting: str = ""


def blame(case: Case, *, fails: bool) -> Blame | None:
    """What trainings of copies show; None where there are none, or the network has learned enough.
    `fails`: it is known to have learned nothing.
    """
    try:
        experiment = experiment_of(case, fails=fails)
        if experiment is None or max(experiment.own, case.skill or 0.0) > ENOUGH:
            return None
        result = _blame(case, experiment, fails)
    except Exception as failure:
        case.not_judged += [(NAME, failure_text(failure))] if fails else []
        return None
    if fails and experiment.cut_short:
        case.not_judged.append((NAME, "not every step could be tried: there was no time left"))
    return result


def _blame(case: Case, experiment: Experiment, fails: bool) -> Blame | None:
    own_loss = "own" if case.loss is not None else "usual"
    steps = min(experiment.steps, max(case.steps, LEAST_STEPS))
    plan = Plan(steps, loss=own_loss, standardised=_off_scale(experiment.data.trained[0]))
    value = experiment.value(plan)
    if value is None:
        return None
    if _is_far_better(experiment, value):
        if not fails:  # where nothing else speaks against the training, it takes two
            again = experiment.value(replace(plan, seed=1))
            if again is None or not _is_far_better(experiment, again):
                return None
        result = Blame(experiment, value, plan, True)
        _find_step(case, result)
        return result
    if not fails:
        return None
    if own_loss == "own" and case.task in ("binary", "multiclass", "regression"):
        other = experiment.value(replace(plan, loss="usual"))
        if other is not None and _is_far_better(experiment, other):
            result = Blame(experiment, other, replace(plan, loss="usual"), True)
            result.tried.append(Tried("loss", value))
            unsuited = case.task != "regression" and not _is_entropy(case)
            result.condition = "loss_unsuited" if unsuited else "output_loss_mismatch"
            result.step = "loss"
            return result
    # a copy that was trained far more shortly proves nothing
    return Blame(experiment, value, plan, False) if plan.steps * SHORTER >= case.steps else None


def _is_far_better(experiment: Experiment, value: float) -> bool:
    share = experiment.share(value)
    return share >= LEAST and share - experiment.own >= FAR


def _is_entropy(case: Case) -> bool:
    known = case.identified_loss
    return known is not None and ("entropy" in known.name or "nll" in known.name)


def _find_step(case: Case, result: Blame) -> None:
    """Train copies with one step as it was, and blame the one with which the least is learned."""
    experiment, plan = result.experiment, result.plan
    reached = experiment.share(result.plain)
    line = reached - HALF * (reached - experiment.own)
    worst = None
    for what, own in _candidates(case, result):
        value = experiment.value(own)
        if value is None:
            break
        result.tried.append(Tried(what, value))
        share = experiment.share(value)
        if share < line and what == "step" and case.steps > 1.5 * plan.steps:
            longer = replace(own, times=min(case.steps / plan.steps, LONGER))
            value = experiment.value(longer)
            share = 0.0 if value is None else experiment.share(value)
        if share < line and (worst is None or share < worst[1] - 0.05):
            worst = what, share, own
    if worst is not None:
        what, _, own = worst
        result.step = {"inputs": "repeat", "targets": "repeat"}.get(what, what)
        result.condition = _condition(case, what, own, line, result)
    elif _all_as_they_were(result):
        result.step = "gradient" if plan.loss == "own" else "loss"


def _all_as_they_were(result: Blame) -> bool:
    """Whether the optimizer and the samples were tried as they were, and nothing of what differs
    was left out.
    """
    tried = {one.what for one in result.tried}
    fed = "targets" in tried or _fed_as_they_are(result.experiment.case)
    return fed and "step" in tried and not result.experiment.cut_short


def _fed_as_they_are(case: Case) -> bool:
    """Whether the samples that were fed, and their targets, are those that were handed over."""
    compared = comparison(case)
    return compared is not None and compared.known > KNOWN and compared.pairs > KNOWN


def _candidates(case: Case, result: Blame) -> list[tuple[str, Plan]]:
    """What was not as in a plain training, with the plan of a copy that has it as it was."""
    plan, candidates = result.plan, []

    def own(what: str, **more: object) -> tuple[str, Plan]:
        return what, replace(plan, own=frozenset({what}), **more)  # type: ignore[arg-type]

    with case.network_copy() as network:
        if network is not None:
            signs = signs_of(network)
            redraw(network, 0)
            result.names = tuple(start_as_it_was(network, case.facts.parameters, signs))
    if result.names:
        candidates.append(own("initialize"))
    if any(is_left_out(case, name) and p.trained for name, p in case.facts.parameters.items()):
        candidates.append(own("gradient"))
    if plan.standardised:
        candidates.append(("inputs", replace(plan, standardised=False)))
    few = few_rows(case) is not None
    order = fed_batches(case, result.experiment.data) and (in_order(case) or few)
    if order or 0 < own_batch_size(case) < FEW:
        candidates.append(own("repeat"))
    elif result.experiment.data.fed is not None and not few and not _fed_as_they_are(case):
        candidates.append(("targets", replace(plan, as_fed=True)))
    if optimizer_name(case) in OPTIMIZERS and "lr" in case.facts.groups[0]:
        candidates.append(own("step"))
    return candidates


def _off_scale(inputs: object) -> bool:
    """Whether inputs are far from numbers about 0 of size 1."""
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.numel() < 2:
        return False
    mean, spread = (float(value) for value in (inputs.mean(), inputs.std()))
    if not spread > 0:
        return False
    return not SMALL < spread < LARGE or abs(mean) > OFF * spread


def _condition(case: Case, what: str, own: Plan, line: float, result: Blame) -> str:
    """The condition that the step to blame has."""
    if what == "initialize":
        return _of_start(case, result.names)
    if what == "step":
        return _of_step(case, own, line, result)
    if what == "repeat":
        if few_rows(case) is not None:
            return "same_batch_again"
        return "not_shuffled" if in_order(case) else "batch_too_small"
    if what == "targets":
        compared = comparison(case)
        known = compared is not None and compared.known > KNOWN > compared.pairs
        return "labels_unrelated" if known else ""
    return {"gradient": "parameters_not_updated", "inputs": "inputs_unscaled"}[what]


def _factors(case: Case, plan: Plan) -> list[float]:
    """By how much the rate may be wrong, by how far the steps led; first what makes it that of a
    plain training, where such an optimizer's steps are as long as its rate.
    """
    path = path_of_steps(case)
    factors = [*(() if path > WAY else HIGHER), *(() if path < SHORT_PATH else LOWER)]
    if optimizer_name(case) in ADAPTIVE and case.lr:
        usual = plan.rate / case.lr
        return [usual, *(one for one in factors if (one > 1) == (usual > 1))]
    return factors


def _of_start(case: Case, names: tuple[str, ...]) -> str:
    facts = [case.facts.parameters[name] for name in names]
    matrices = [known for known in facts if len(known.shape) > 1]
    if any(known.constant for known in matrices):
        return "symmetric_units"
    if not matrices:
        return "dead_units"
    # a row of n weights as PyTorch draws them has the length √(1/3)
    lengths = [known.length / known.shape[0] ** 0.5 for known in matrices]
    return "signal_explodes" if sum(lengths) / len(lengths) > 1 else "signal_vanishes"


def _of_step(case: Case, own: Plan, line: float, result: Blame) -> str:
    """What of the optimizer it is: one setting after another is the usual one."""
    experiment, group = result.experiment, case.facts.groups[0]

    def cures(**more: object) -> bool:
        reached = experiment.reached(replace(own, **more))  # type: ignore[arg-type]
        return reached is not None and reached >= line

    if group.get("weight_decay") and cures(changes=(("weight_decay", 0.0),)):
        return "weight_decay_too_strong"
    rates = own_rates(case, own.steps)
    if rates is not None and cures(scheduled=False):
        peak = rates.index(max(rates))
        return "schedule_collapsed" if peak < len(rates) / 2 else "learning_rate_too_low"
    for setting, usual in (("eps", 1e-8), ("betas", (0.9, 0.999)), ("momentum", 0.9)):
        value = group.get(setting)
        if value and value != usual and cures(changes=((setting, usual),)):
            result.setting = setting
            return "optimizer_setting"
    for factor in _factors(case, own):
        if cures(times=factor):
            result.factor = factor
            return "learning_rate_too_low" if factor > 1 else "learning_rate_too_high"
    return ""
