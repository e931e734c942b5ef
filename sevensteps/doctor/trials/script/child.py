"""The process of a trial: the script runs from here on, with new seeds, a disk of its own, and one
thing altered.

`activate` is called before the script: nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.doctor.trials.script.isolation import (
    Redirection,
    forbid_writes,
    redirect,
    redirect_torch,
)
from sevensteps.doctor.trials.script.run_script import read_source
from sevensteps.doctor.trials.script.seeds import shift_numpy, shift_random, shift_torch
from sevensteps.observe.script.process import ScriptProcess, when_imported

if TYPE_CHECKING:
    from torch import Tensor

    from sevensteps.doctor.trials.script.base import Intervention
    from sevensteps.doctor.trials.script.recorder import RunRecorder
    from sevensteps.observe.script.hooks import ScriptHooks


class TrialRun:
    """One run of a script in a trial.

    `settings`: "change" (of the script, as `notation` has it), "seed" (what is added to its seeds),
    "training" (the number of the one that is altered, among those of the script), "max_steps" and
    "max_evaluations" (after which it is cut off, or None), "ignored" (a class of the targets that
    does not count, or None), "compared" (the function and the line of a comparison, whose two sides
    are a measure, or None), "threads" (that PyTorch computes with, or None), "result" (the file of
    its numbers), "samples" (the file of samples, which it writes where there is none), and for
    `isolation` "original", "copy", "outside" and "writable".
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.process = ScriptProcess(settings, self._torch_imported, self._end, self._forget)
        self.failure = ""  # of what is ours
        self.began = time.perf_counter()
        self.hooks: ScriptHooks | None = None
        self.recorder: RunRecorder | None = None
        self.interventions: list[Intervention] = []
        self.count = 0  # trainings so far
        self.redirection: Redirection | None = None

    def start(self) -> None:
        """Isolate this process, and wait for the script to import PyTorch."""
        settings = self.settings
        copy, outside = Path(settings["copy"]), Path(settings["outside"])
        forbid_writes((settings["writable"], "/dev", "/proc"))
        self.redirection = Redirection(
            Path(settings["original"]), copy, outside, (settings["writable"],)
        )
        redirect(self.redirection)
        shift_random(settings["seed"])
        self.process.start()
        when_imported("numpy", self._numpy_imported)

    def _numpy_imported(self) -> None:
        with contextlib.suppress(Exception):
            shift_numpy(self.settings["seed"])

    def _torch_imported(self) -> None:
        try:
            self._install()
        except Exception as failure:
            self.failure = f"{type(failure).__name__}: {failure}"[:300]

    def _install(self) -> None:
        import torch
        from torch.optim import optimizer as optimizers

        from sevensteps.doctor.trials.script.calls import CallMode
        from sevensteps.doctor.trials.script.notation import parse_change
        from sevensteps.doctor.trials.script.of_calls import NoteComparison
        from sevensteps.doctor.trials.script.of_source import Rewrite, read_modules_by
        from sevensteps.observe.function_mode import insert_mode
        from sevensteps.observe.script.hooks import ScriptHooks

        assert self.redirection is not None
        if (threads := self.settings.get("threads")) is not None:
            torch.set_num_threads(threads)
        shift_torch(self.settings["seed"])
        redirect_torch(self.redirection)
        self.interventions = parse_change(self.settings["change"])
        if any(isinstance(i, Rewrite) for i in self.interventions):
            read_modules_by(self._rewritten)
        for intervention in self.interventions:
            intervention.torch_imported()
        # PyTorch hands its hooks more than the optimizer, and they may not return anything
        optimizers.register_optimizer_step_pre_hook(lambda o, *_: self._steps(o))
        optimizers.register_optimizer_step_post_hook(lambda o, *_: self._stepped(o))
        make_watcher: Any = self._make_recorder
        self.hooks = ScriptHooks(make_watcher)
        self.hooks.install()
        compared = self.settings.get("compared")
        noting = (
            [] if compared is None else [NoteComparison(compared[0], compared[1], self._compared)]
        )
        if any(intervention.calls_functions for intervention in (*noting, *self.interventions)):
            insert_mode(CallMode([*noting, *self.interventions]))

    def _compared(self, output: Tensor, target: Tensor) -> None:
        """Both sides of the comparison that is tried were compared in the script."""
        from sevensteps.doctor.trials.script.measure import paired_r2

        if self.recorder is not None:
            self.recorder.compared.append(paired_r2(output, target))

    def _make_recorder(self, networks: Any, optimizers: Any) -> RunRecorder:
        from sevensteps.doctor.trials.script.recorder import RunRecorder

        tried = self.count == self.settings["training"]
        self.count += 1
        recorder = RunRecorder(
            networks,
            optimizers,
            self._network_known if tried else lambda: None,
            self._step_ended if tried else lambda loss: None,
            self._evaluated if tried else lambda: None,
            keeps_samples=tried and not self._has_samples,
        )
        if tried:
            self.recorder = recorder
            if (ignored := self.settings.get("ignored")) is not None:
                recorder.ignored = ignored
            if (samples := self._samples()) is not None:
                recorder.training.x = _only_input(samples[0])
        return recorder

    @property
    def _has_samples(self) -> bool:
        return Path(self.settings["samples"]).exists()

    def _samples(self) -> tuple[Any, Any] | None:
        from sevensteps.doctor.trials.script.samples_file import read_samples

        if self._has_samples:
            arguments, target = read_samples(Path(self.settings["samples"]))
            return arguments, target
        inputs = self.recorder.samples.inputs if self.recorder is not None else None
        if self.recorder is None or inputs is None:
            return None
        return (inputs.args, inputs.kwargs), self.recorder.samples.targets

    def source(self, path: str) -> bytes:
        """What the script's file at `path` says in this trial."""
        if "script" in self.settings["change"]:
            importlib.import_module("torch")  # interventions are made then
        assert self.redirection is not None
        return self._rewritten(path, read_source(self.redirection(path, "read")))

    def _rewritten(self, path: str, data: bytes) -> bytes:
        """What a file with these bytes says in this trial; `path` may be that of the copy."""
        copy, path = os.path.realpath(self.settings["copy"]), os.path.abspath(path)
        if path.startswith(copy + os.sep):
            path = self.settings["original"] + path[len(copy) :]
        for intervention in self.interventions:
            data = intervention.source(path, data)
        return data

    # -- moments of the script ---------------------------------------------------------------------

    def _network_known(self) -> None:
        if self.recorder is not None:
            for intervention in self.interventions:
                intervention.network_known(self.recorder.training)

    def _steps(self, optimizer: Any) -> None:
        if self.recorder is not None and id(optimizer) in self.recorder.training.optimizers:
            for intervention in self.interventions:
                intervention.before_step(optimizer, self.recorder.training)

    def _stepped(self, optimizer: Any) -> None:
        if self.recorder is not None and id(optimizer) in self.recorder.training.optimizers:
            for intervention in self.interventions:
                intervention.after_step(optimizer, self.recorder.training)

    def _step_ended(self, loss: Tensor) -> None:
        assert self.recorder is not None
        for intervention in self.interventions:
            intervention.step_ended(loss, self.recorder.training)
        if self.recorder.steps == self.settings["max_steps"]:
            self._cut()

    def _evaluated(self) -> None:
        assert self.recorder is not None
        if len(self.recorder.evaluations) == self.settings["max_evaluations"]:
            self._cut()

    def _cut(self) -> None:
        """The script has trained for as long as was asked for: its numbers, and its end."""
        self._write(None, cut=True)
        sys.stdout.flush()
        os._exit(0)

    def _end(self, failure: BaseException | None) -> None:
        if self.hooks is not None:
            self.hooks.discovery.end()
            self.hooks.remove()
        self._write(failure, cut=False)

    def _forget(self) -> None:
        """Another process begins here: what its parent trains is not its own."""
        if self.hooks is not None:
            self.hooks.remove()

    def _write(self, failure: BaseException | None, cut: bool) -> None:
        if not self.process.settings["prints"]:
            return  # a process that the script has started
        result: dict[str, Any] = {"steps": 0}
        if self.recorder is not None:
            samples = self._samples()
            try:
                result = self.recorder.result(samples)
            except Exception as unasked:  # the network takes no samples
                result = {**self.recorder.result(None), "unasked": str(unasked)[:300]}
            self._store(samples)
        result |= {
            "applied": all(intervention.applied for intervention in self.interventions),
            "failure": None if failure is None else f"{type(failure).__name__}: {failure}"[:300],
            "trial_failure": self.failure or (self.hooks and self.hooks.failure),
            "cut": cut,
            "seconds": time.perf_counter() - self.began,
        }
        path = Path(self.settings["result"])
        path.with_suffix(".part").write_text(json.dumps(result), encoding="utf-8")
        path.with_suffix(".part").rename(path)

    def _store(self, samples: tuple[Any, Any] | None) -> None:
        from sevensteps.doctor.trials.script.samples_file import write_samples

        if samples is not None and not self._has_samples and not self.settings["change"]:
            with contextlib.suppress(TypeError):  # what is no tensor is not shared
                write_samples(Path(self.settings["samples"]), samples)


def _only_input(arguments: tuple[Any, Any]) -> Any:
    """The network's input, where it has one that is a tensor."""
    args, kwargs = arguments
    import torch

    return args[0] if len(args) == 1 and not kwargs and isinstance(args[0], torch.Tensor) else None


def activate(settings: Mapping[str, Any]) -> TrialRun:
    """Run the script that this Python is going to run as a trial."""
    run = TrialRun(settings)
    run.start()
    return run
