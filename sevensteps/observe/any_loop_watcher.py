"""Watches any loop of plain PyTorch: changes nothing in it, and costs no more than it may."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError
from sevensteps.observe.look import Look
from sevensteps.observe.look_schedule import LookSchedule
from sevensteps.observe.named_rewards import named_reward, sign_of_rewards
from sevensteps.observe.network_facts import (
    NetworkFacts,
)
from sevensteps.observe.observation import Observation
from sevensteps.observe.passed_steps import PassedSteps
from sevensteps.observe.recorders import Recorders
from sevensteps.observe.script.crash import is_not_finite
from sevensteps.observe.step_log import StepLog, check_number, plain_number
from sevensteps.observe.torch_warnings import WarningRecorder
from sevensteps.observe.watched_networks import WatchedNetwork, optimizers_of, watched_networks

QUIET_STEPS = 256  # that are planned ahead
# of steps that are passed, two in so many are timed; what one takes that is not, about
PASSED_IN_A_ROW, PASS_SECONDS = 128, 2e-6
USUAL_WEIGHT = 0.2  # of the step before in the time that a step usually takes


class AnyLoopWatcher:
    """Watches `network` in a training loop that calls `step(loss)`; `ss.watch` adds the doctor.

    `network` may be several, as a mapping from names to pairs (module, optimizer). `budget` is the
    share of the time that watching may cost. It watches between `start()` and `stop()`, or inside
    `with`, as often as you like. Raises `ArgumentError` for anything but modules and optimizers.

    Whatever goes wrong in here never reaches the loop: it is kept in `failure`, and from then on
    only losses are noted.
    """

    def __init__(
        self,
        network: nn.Module | Mapping[str, Any],
        optimizers: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None,
        budget: float,
    ) -> None:
        self.networks: dict[str, WatchedNetwork] = watched_networks(network, optimizers)
        # the network, where there is only one
        alone = len(self.networks) == 1
        self.network: nn.Module | None = (
            next(iter(self.networks.values())).module if alone else None
        )
        self.schedule = LookSchedule(budget)
        self._observation = Observation(NetworkFacts("", {}, {}, ()))
        self._log = StepLog(self._observation, self._not_finite)
        self._passed = PassedSteps(self._log, self._pause_passing)
        self._pass_step = self._passed.note
        self._warnings = WarningRecorder(self.observation.warnings, lambda: self.step_number)
        self._recorders = Recorders(self._observation, budget, self._fail)
        # whether nothing is hooked, up to the step `_quiet_until`; two of these steps, from
        # `_timed_from` on, are timed
        self._quiet, self._quiet_until, self._timed_from = False, 0, 0
        # of a step for one sample, by its size, and the numbers that a layer gives for it at most
        self.sample_seconds = self.sample_numbers = 0.0
        self._usual_seconds = 0.0  # of a step that nobody looks at, lately
        self._looked = False  # whether the step before was looked at
        self._step_number = 0  # of the first step that is not noted; some may have been passed
        self._entered = False
        self._began: float | None = None
        try:
            self._examine_networks()
        except Exception as failure:  # a network such as nobody has seen
            self._fail(failure)

    @property
    def step_number(self) -> int:
        """The number of the step that goes on, from 0."""
        return self._step_number + len(self._passed.losses)

    def _examine_networks(self) -> None:
        if self._passed.losses:
            self._record_passed(time.perf_counter())
        first = next(iter(self.networks.values()), None)
        self._log.optimizer = first.optimizers[0] if first and first.optimizers else None
        self._recorders.examine(self.networks)

    @property
    def looking(self) -> bool:
        """Whether the step that goes on is looked at."""
        return self._recorders.hooks.armed

    def compared_target(self, loss: Tensor) -> Tensor | None:
        """What the output was subtracted from in a loss of the step that goes on, if it is looked
        at and the training computes its loss so; else None.
        """
        return self._recorders.calls.compared_target(loss) if self.looking else None

    @property
    def quiet(self) -> bool:
        """Whether only the loss of the step that goes on is noted."""
        return self._quiet

    @property
    def failure(self) -> str | None:
        """What went wrong in the watch; None where nothing did."""
        reason: str | None = self._observation.notes.get("failure")
        return reason

    def add_network(
        self,
        name: str,
        module: nn.Module,
        optimizers: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None = None,
    ) -> None:
        """Watch one more network from now on. Raises `ArgumentError` for a name that is taken, and
        where one network without a name is watched.
        """
        if name in self.networks or "" in self.networks:
            raise ArgumentError(
                f"watch.add_network({name!r}, …): there is a network of this name already, or one "
                "without a name; start with a mapping, ss.watch({name: (network, optimizer)})"
            )
        self.networks |= watched_networks({name: (module, optimizers_of(optimizers))}, None)
        self.network = self.networks[name].module if len(self.networks) == 1 else None
        self._examine_again()

    def replace_optimizers(
        self,
        name: str,
        optimizers: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None,
    ) -> None:
        """Watch a network with other optimizers from now on: its training goes on with them."""
        called = self.networks[name].called
        self.networks[name] = WatchedNetwork(called, optimizers_of(optimizers))
        self._examine_again()

    def _examine_again(self) -> None:
        armed = self.looking
        self._recorders.disarm()
        try:
            self._examine_networks()
        except Exception as failure:
            self._fail(failure)
        if armed:
            self._arm()
        elif self._quiet:
            self._prepare(self._step_number)

    # -- from start to stop ------------------------------------------------------------------------

    def start(self) -> None:
        """Watch from now on; go on where `stop()` left off."""
        if self._entered:
            return
        now = time.perf_counter()
        # the time in between is not the training's
        self._began = now - self.observation.seconds if self._began is not None else now
        self._step_ended = now
        self._entered = True
        self._warnings.start()
        self._prepare(self.step_number)
        self._note_state()

    def stop(self) -> None:
        """Watch no longer; remove every hook."""
        self._recorders.disarm()
        self._warnings.stop()
        with suppress(Exception):  # nothing in here may reach the training
            self._log.fetch_losses()
            self._record_passed(time.perf_counter())
            if (
                self._entered
                and self._observation.replay is None
                and self._recorders.replay.ends_badly()
            ):
                self._observation.replay = self._recorders.replay.stop()
        self._entered = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if raised is not None:
            self.break_off(raised)
        self.stop()

    def _prepare(self, step: int) -> None:
        """Arm for the step to come, if it is to be looked at."""
        evaluations = self._recorders.evaluations
        if evaluations is not None:
            evaluations.stop()
        self._quiet = False
        if self.failure:
            return
        if (ahead := self._recorders.account.marks.steps_to_update) is not None:
            self.schedule.look_next(step + ahead - 1)
        if self.schedule.is_due(step):
            self._arm()
            return
        replay, data = self._recorders.replay, self._recorders.data
        replay.listen()
        replay.evaluated = self._evaluates
        listened = data.is_due(step)
        if listened:
            data.listen()
        if replay.listening:
            evaluations = None  # these are noticed on the way
        noticed = evaluations is not None and evaluations.is_due(step)
        if noticed and evaluations is not None:
            evaluations.listen()
        if listened:
            return
        self._quiet, self._timed_from, self._quiet_until = True, step, step + 1
        self._passed.begin(step, self._recorders.account, replay)
        if not noticed:
            until = data.next_due(step + 1, min(self.schedule.next_step, step + QUIET_STEPS))
            if evaluations is not None:
                until = next(filter(evaluations.is_due, range(step + 1, until)), until)
            self._quiet_until = until

    def _evaluates(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A network runs without gradients, before the forward pass of the step that goes on."""
        evaluations = self._recorders.evaluations
        if evaluations is not None and evaluations.is_due(self.step_number):
            evaluations.recorder.network_evaluates(network, module, args, kwargs)

    def _arm(self) -> None:
        began, recorders = time.perf_counter(), self._recorders
        recorders.replay.silence()
        try:
            recorders.arm(full=self.schedule.is_full(self.step_number))
        except Exception as failure:
            self._fail(failure)
        recorders.hooks.cost += time.perf_counter() - began

    def _fail(self, failure: Exception) -> None:
        """Note what went wrong in here, and see no more than losses from now on."""
        words = " ".join(str(failure).split())
        self._quiet = False
        self._observation.notes.setdefault("failure", f"{type(failure).__name__}: {words}"[:300])
        self._recorders.disarm()

    def _not_finite(self, step: int) -> None:
        """The loss of `step` is the first that is not finite."""
        self.schedule.look_next(step + 1)
        self._observation.replay = self._recorders.replay.stop()

    def break_off(self, failure: BaseException) -> None:
        """An exception has ended the training within a step: something in it may have been not
        finite.
        """
        with suppress(Exception):
            if "first_not_finite" not in self.observation.notes and is_not_finite(failure):
                self._log.note_not_finite(self.step_number)

    def _note_state(self) -> None:
        if self.schedule.budget and not self.failure:
            try:
                self._recorders.replay.note_state(self.step_number)
            except Exception as failure:  # such as no memory
                self._fail(failure)

    # -- what the loop reports ---------------------------------------------------------------------

    def step(
        self,
        loss: Tensor | float,
        target: Any = None,
        *,
        parts: Mapping[str, Tensor | float] | None = None,
        score: Tensor | float | None = None,
    ) -> None:
        """Report one step of training, after `optimizer.step()`: its loss, and the targets that it
        was measured against.

        `parts` are the terms that the loss is the sum of, by name; of several networks, the part
        with a network's name is that network's loss. `score` says how good the step's answers are,
        more is better. Raises `ArgumentError` for a loss of several numbers, and outside `with` or
        `start()` … `stop()`.
        """
        if self._quiet and not parts and score is None:
            try:
                if self._pass_step(loss, target):
                    return
            except Exception as failure:
                self._fail(failure)
                return
        began = time.perf_counter()
        if not self._entered or self._began is None:
            raise ArgumentError(
                "watch.step() belongs inside: with ss.watch(model, optimizer) as watch: … "
                "(or between watch.start() and watch.stop())"
            )
        check_number("watch.step(loss)", "the loss", loss, "that backward() was called on")
        for name, value in (parts or {}).items():
            check_number(f"watch.step(parts={{{name!r}: …}})", "the part", value, "that it adds")
        if score is not None:
            check_number("watch.step(score=…)", "the score", score, "that says how good it is")
        step = self.step_number
        try:
            self._step(began, loss, target, parts or {}, score)
        except Exception as failure:
            self._fail(failure)
            self._step_number = self.observation.steps = step + 1
            self._step_ended = time.perf_counter()

    def _pause_passing(self) -> None:
        """What not every step that is passed does: note the time, copy the parameters, be ready
        for what comes next.
        """
        began, passed = time.perf_counter(), self._passed
        step = self.step_number - 1
        if not math.isfinite(passed.losses[-1]):
            self._log.note_not_finite(step)
            self._quiet_until = step
        elif step >= self._recorders.replay.due:
            self._recorders.replay.note_state(step + 1)
        if step >= self._timed_from or step + 1 >= self._quiet_until:
            if self._looked or step == self._timed_from + 1:
                self._note_time(began - self._step_ended)
                self._timed_from = step + PASSED_IN_A_ROW
            self._looked = False
            if step + 1 >= self._quiet_until:
                self._recorders.replay.leave_large()
                self._record_passed(began)
                self._prepare(step + 1)
            self._step_ended = time.perf_counter()
            self.schedule.noting_seconds += self._step_ended - began
        pause_at = min(self._timed_from, self._quiet_until - 1, self._recorders.replay.due)
        passed.pause_after = pause_at - passed.first + 1

    def _record_passed(self, now: float) -> None:
        """Hand what was noted of the steps passed to the observation."""
        observation, schedule = self._observation, self.schedule
        passed = self._passed.write()
        if not passed:
            return
        self._step_number += passed
        observation.steps = self._step_number
        if self._began is not None:
            observation.seconds = max(observation.seconds, now - self._began)
        schedule.noting_seconds += PASS_SECONDS * passed
        observation.watching_seconds = schedule.looking_seconds + schedule.noting_seconds
        observation.notes["updates"] = self._recorders.account.marks.updates

    @property
    def observation(self) -> Observation:
        """What was observed so far."""
        if self._passed.losses:
            self._record_passed(time.perf_counter())
        return self._observation

    def _step(
        self,
        began: float,
        loss: Tensor | float,
        target: Any,
        parts: Mapping[str, Tensor | float],
        score: Tensor | float | None,
    ) -> None:
        assert self._began is not None
        self._record_passed(began)
        step, schedule, recorders = self._step_number, self.schedule, self._recorders
        look: Look | None = None
        step_seconds, elapsed = began - self._step_ended, began - self._began
        recorders.replay.end_step(step, target)
        self._log.note(step, loss, parts, score, waits=self.looking)
        if not self.looking:
            self._note_time(step_seconds)
        elif recorders.saw_a_network:
            recorders.calls.part_gradients.parts = parts
            look = self._look(step, loss, target)
            look.parts = {name: plain_number(value) for name, value in parts.items()}
            look.score = None if score is None else plain_number(score)
            actions = [term for term in look.loss_terms if term.name.endswith(".log_prob")]
            if actions:
                look.reward = named_reward()
                if (sign := sign_of_rewards([term.factor for term in actions])) is not None:
                    self._observation.notes.setdefault("reward_signs", []).append(sign)
            look.seconds = elapsed
            inside = recorders.take_cost()
            cost = inside + time.perf_counter() - began
            # Hooks slow down what they are registered on, too.
            slowdown = step_seconds - inside - self._usual_seconds if self._usual_seconds else 0.0
            cost += min(max(slowdown, 0.0), cost)
            schedule.record_look(step, cost, elapsed)
            schedule.looking_seconds += cost
        if recorders.data.listening:
            recorders.data.add(step, target)
            recorders.data.disarm()
        self._step_number = step + 1
        observation = self.observation
        observation.steps, observation.seconds = step + 1, elapsed
        observation.watching_seconds = schedule.looking_seconds + schedule.noting_seconds
        if look:
            self._recorders.disarm()
            if schedule.thinned is not None:
                observation.notes["thinned"] = schedule.thinned
            self._note_state()
        elif not self.failure:
            self._recorders.account.marks.note()
            if (
                not isinstance(loss, Tensor) or loss.is_cpu
            ):  # else it is not known whether all is well
                self._note_state()
        observation.notes["updates"] = self._recorders.account.marks.updates
        if not self.looking:
            self._prepare(step + 1)
        self._looked, self._step_ended = look is not None, time.perf_counter()
        if look is None:
            schedule.noting_seconds += self._step_ended - began

    def valid(
        self, loss: Tensor | float | None = None, score: Tensor | float | None = None
    ) -> None:
        """Report what an evaluation gave: the loss, and a score of which more is better.

        Raises `ArgumentError` where one is no single number.
        """
        for name, value in (("loss", loss), ("score", score)):
            if value is not None:
                check_number(f"watch.valid({name}=…)", f"the {name}", value, "of the evaluation")
        self.observation.record_evaluation(
            self.step_number,
            None if loss is None else plain_number(loss),
            None if score is None else plain_number(score),
        )

    def before_update(self) -> None:
        """Report that the parameters are about to be changed, by an optimizer that is not
        PyTorch's; those of PyTorch report themselves.
        """
        self._observation.notes["other_optimizer"] = True
        if self.looking:
            self._recorders.hooks.optimizer_steps(None)

    def _look(self, step: int, loss: Tensor | float, target: Any) -> Look:
        self._log.fetch_losses()
        full = self.schedule.is_full(step)
        size = self._recorders.size() if full else None
        if size is not None:
            self.schedule.set_size(size)
        look = self._recorders.look(step, loss, target, full=full)
        if size is not None:
            count = max(look.batch or 1, 1)
            self.sample_seconds = size.step_seconds() / count
            self.sample_numbers = size.largest / count
        return look

    def _note_time(self, step_seconds: float) -> None:
        """A step that nobody looked at took so long."""
        usual = self._usual_seconds
        if self._looked:  # the look's numbers have pushed others out of the processor's caches
            slowdown = max(step_seconds - usual, 0.0)
            self.schedule.looking_seconds += min(slowdown, self.schedule.look_seconds)
        elif usual:
            self._usual_seconds += USUAL_WEIGHT * (min(step_seconds, 2 * usual) - usual)
        else:
            self._usual_seconds = step_seconds

    @property
    def share(self) -> float:
        """The share of steps that were looked at."""
        return self.schedule.looks / max(self.step_number, 1)

    def __repr__(self) -> str:
        observation = self.observation
        share = observation.watching_seconds / max(observation.seconds, 1e-9)
        return (
            f"<watch of {observation.facts.network}: {observation.steps} steps, "
            f"{len(observation.looks)} looks, {100 * share:.1f} % of the time>"
        )
