"""What a watched script ends with: the diagnosis of each training that was found in it.

Python calls `activate` as it starts, before the script: nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.observe.script.process import ScriptProcess

if TYPE_CHECKING:
    from sevensteps.doctor.diagnosis import Diagnosis
    from sevensteps.doctor.report.script import ProcessReport, TrainingReport
    from sevensteps.observe.any_loop_watcher import AnyLoopWatcher
    from sevensteps.observe.script.discovery import Discovery
    from sevensteps.observe.script.hooks import ScriptHooks
    from sevensteps.observe.script.training import ScriptTraining


class ScriptWatch:
    """The watch of one process of a script, from its start to the diagnosis at its end."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.process = ScriptProcess(settings, self._install, self._end, self._forget)
        self.hooks: ScriptHooks | None = None
        self._imported = 0.0  # when PyTorch was: seconds on the clock of `time.perf_counter`

    def _install(self) -> None:
        """PyTorch has been imported."""
        from sevensteps.observe.script.hooks import ScriptHooks

        self._imported = time.perf_counter()
        self.hooks = ScriptHooks(self._make_watcher)
        self.hooks.install()

    def _make_watcher(self, networks: Any, optimizers: Any) -> AnyLoopWatcher:
        # What judges is imported at the end, and what watches with the first training.
        from sevensteps.observe.any_loop_watcher import AnyLoopWatcher

        return AnyLoopWatcher(networks, optimizers, float(self.process.settings["budget"]))

    def _forget(self) -> None:
        """Another process begins here: what its parent trained is not its own."""
        if self.hooks is not None:
            self.hooks.remove()
            for training in self.hooks.discovery.trainings:
                training.stop()
            self._install()

    def _end(self, failure: BaseException | None) -> None:
        if self.hooks is None:
            return
        seconds = time.perf_counter() - self._imported
        self.hooks.discovery.end()
        self.hooks.remove()
        settings = self.process.settings
        report = process_report(
            self.hooks,
            failure,
            plans=settings.get("plans", False),
            page=bool(settings.get("report")),
        )
        for training in report.trainings:
            if training.plan is not None:
                training.plan["seconds"] = seconds
        if settings["prints"]:
            deliver(report, settings)
        elif report.trainings or report.crash or settings.get("plans"):
            leave(report, Path(settings["folder"]))


def process_report(
    hooks: ScriptHooks,
    failure: BaseException | None,
    *,
    plans: bool = False,
    page: bool = False,
) -> ProcessReport:
    """What is to be said of this process, which `failure` has ended, if any; with `plans`, what can
    be tried of its trainings too, and with `page` what a page shows of them.
    """
    from sevensteps.doctor.report.script import ProcessReport
    from sevensteps.observe.script.crash import explain_crash

    discovery = hooks.discovery
    networks = {n: m for training in discovery.trainings for n, m in training.networks.items()}
    reports, failures = [], [hooks.failure] if hooks.failure else []
    for number, training in enumerate(discovery.trainings):
        if training.watcher is None or not training.steps:
            continue
        if failure is not None:
            training.watcher.break_off(failure)
        try:
            tried = number if plans else None
            line = optimizer_lines(discovery, training)
            reports.append(
                training_report(
                    training, discovery.evaluated.samples.get(number), tried, page, line
                )
            )
        except Exception as failed:
            failures.append(f"{type(failed).__name__}: {' '.join(str(failed).split())}"[:300])
    if not reports and (failure is None or isinstance(failure, KeyboardInterrupt)):
        reports += uncompleted_report(discovery, page)
    crash = explain_crash(failure, networks, discovery.stepped_at) if failure is not None else ""
    return ProcessReport(
        tuple(reports),
        crash=crash,
        nothing="" if reports or (crash and not networks) else discovery.nothing(),
        failure="; ".join(failures),
        unwatched=discovery.unwatched,
    )


def uncompleted_report(discovery: Discovery, page: bool = False) -> list[TrainingReport]:
    """What is to be said of a script's first training, of which no step was completed: one report,
    or none.
    """
    from sevensteps.api.watch import case_of
    from sevensteps.doctor.diagnosis import Diagnosis
    from sevensteps.doctor.report.script import first_and_last
    from sevensteps.doctor.uncompleted_steps import why_no_step

    order = discovery.order
    training = next((t for t in discovery.trainings if t.watcher is not None), None)
    finding = why_no_step(order.counts, order.places, order.round, order.optimizer)
    if order.completed or training is None or training.watcher is None or finding is None:
        return []
    losses = [(number, float(loss)) for number, loss in enumerate(order.losses)]
    diagnosis = Diagnosis([finding], case_of(training.watcher))
    return [report_of(training, diagnosis, first_and_last(losses), page=page)]


def training_report(
    training: ScriptTraining,
    valid: Any,
    number: int | None = None,
    page: bool = False,
    optimizer_line: str = "",
) -> TrainingReport:
    """The diagnosis of one training, and what it is of; with its `number` among those of the
    script, what can be tried of it; with `page`, what a page shows of it. Its optimizers are made
    at `optimizer_line`.
    """
    from sevensteps.api.watch import case_of
    from sevensteps.doctor.asking import sample_limit_of
    from sevensteps.doctor.diagnosis import diagnose
    from sevensteps.doctor.report.places import name_lines
    from sevensteps.doctor.report.script import first_and_last
    from sevensteps.observe.script.dataset_reader import read_samples

    watcher, loaders = training.watcher, training.loaders
    assert watcher is not None
    unread, train = [], None
    if loaders.train is not None and loaders.parts is not None:
        train, why = read_samples(loaders.train, loaders.parts)
        unread += [("train", why)] if why else []
        if valid is None and loaders.valid is not None:
            valid, why = read_samples(loaders.valid, loaders.parts)
            unread += [("valid", why)] if why else []
    watcher.observation.notes["script"] = True
    case = case_of(watcher, train, valid)
    case.not_judged += unread
    case.sample_limit = sample_limit_of(watcher.sample_seconds, watcher.sample_numbers)
    final = dict(zip(watcher.networks, training.final_networks().values(), strict=True))
    if None in final.values():
        case.network, case.networks = None, {}
        case.not_judged.append(("network", "the script has changed it since this training"))
    else:
        case.network = next(iter(final.values())) if len(final) == 1 else None
        case.networks = {name: module for name, module in final.items() if module is not None}
    diagnosis = diagnose(case)
    name_lines(diagnosis.findings, {"optimizer": optimizer_line, "backward": training.backward_at})
    plan = None
    if number is not None:
        from sevensteps.doctor.trials.script.proposals import plan_of

        plan = plan_of(case, diagnosis.findings, training.optimizer_names, number)
    losses = first_and_last(watcher.observation.losses)
    return report_of(training, diagnosis, losses, plan, page=page)


def optimizer_lines(discovery: Discovery, training: ScriptTraining) -> str:
    """Where the optimizers of a training are made, each line once."""
    lines = [
        discovery.construction_lines.get(optimizer, "")
        for optimizer in training.optimizers.values()
    ]
    return " and ".join(dict.fromkeys(filter(None, lines)))


def report_of(
    training: ScriptTraining,
    diagnosis: Diagnosis,
    losses: tuple[float, float] | None,
    plan: dict[str, Any] | None = None,
    *,
    page: bool = False,
) -> TrainingReport:
    """The report of a training with this diagnosis, and its first and last loss; with `page`, what
    a page shows of it.
    """
    from sevensteps.doctor.report.script import TrainingReport

    modules = [type(module).__name__ for module in training.networks.values()]
    names = [
        name if kind == name else f"{name} ({kind})"
        for name, kind in zip(training.networks, modules, strict=True)
    ]
    return TrainingReport(
        " and ".join(names),
        training.place,
        training.steps,
        losses,
        training.optimizer_names,
        str(diagnosis),
        diagnosis.to_dict(),
        _document(diagnosis, training) if page else None,
        plan,
    )


def _document(diagnosis: Diagnosis, training: ScriptTraining) -> dict[str, Any]:
    """What a page shows of one training of a script."""
    from sevensteps.view.document.watched import watched_document

    networks = " and ".join(type(module).__name__ for module in training.networks.values())
    place = f" · called at {training.place}" if training.place else ""
    return watched_document(
        diagnosis, f"Training of {networks}", f"{training.steps:,} steps{place}"
    )


def deliver(report: ProcessReport, settings: Mapping[str, Any]) -> None:
    """Print a report on standard error, and write the files that were asked for."""
    from sevensteps.doctor.report.script import LEAD

    report = with_others(report, Path(settings["folder"]))
    say(f"\n{report.text(LEAD)}\n")
    write_files(report, settings, Path(sys.argv[0]).name)


def say(text: str) -> None:
    """Print on standard error, in what signs it has."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    screen = sys.__stderr__
    if screen is not None:
        with contextlib.suppress(OSError, ValueError):
            encoding = screen.encoding or "utf-8"
            screen.write(text.encode(encoding, "replace").decode(encoding))
            screen.flush()


def write_files(report: ProcessReport, settings: Mapping[str, Any], script: str) -> None:
    """Write the files of `settings` about `script`, and print where the page is."""
    from sevensteps.record.run_folder import nan_to_null, write

    if settings["json"]:
        content = json.dumps(nan_to_null(report.to_dict()), indent=2, ensure_ascii=False)
        write(Path(settings["json"]), f"{content}\n".encode())
    if settings["report"]:
        from sevensteps.view.document.script import script_document
        from sevensteps.view.report import report_page

        page = report_page(script_document(report, f"sevensteps watch: {script}"))
        write(Path(settings["report"]), page.encode())
        say(f"\nReport in {settings['report']}\n")


def leave(report: ProcessReport, folder: Path) -> None:
    """Leave a report in `folder`, for the process that prints it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    rank = int(os.environ.get("RANK", "0"))
    content = json.dumps(dataclasses.asdict(report))
    (folder / f"{rank:06}-{os.getpid():010}.json").write_text(content, encoding="utf-8")


def with_others(report: ProcessReport, folder: Path) -> ProcessReport:
    """A report, with those that other processes have left in `folder`; the folder is removed."""
    from sevensteps.doctor.report.script import ProcessReport

    others: list[ProcessReport] = []
    for path in sorted(folder.glob("*.json")):
        others.append(ProcessReport.from_fields(json.loads(path.read_text(encoding="utf-8"))))
    shutil.rmtree(folder, ignore_errors=True)
    if not others or report.trainings:
        return report
    distinct = {other.signature(): other for other in reversed(others)}
    alike = len(others) - len(distinct)
    return dataclasses.replace(
        others[0],
        trainings=tuple(t for o in reversed(distinct.values()) for t in o.trainings),
        crash=others[0].crash or report.crash,
        failure=report.failure or others[0].failure,
        others=(f"{alike} more of its processes: the same network, and the same findings.",)
        if alike
        else (),
    )


def activate(settings: Mapping[str, Any]) -> None:
    """Watch the script that this Python is going to run."""
    ScriptWatch(settings).process.start()
