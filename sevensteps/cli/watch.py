"""`sevensteps watch`: run somebody's training script unchanged, and say what is wrong with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

ENTRY = "sevensteps.api.watch_script"
NOTHING = (
    "There is no training to be seen: in no Python of this command an optimizer of PyTorch "
    "stepped, or a backward pass reached a network's parameters."
)
OPTIONS = ("--json", "--report", "--budget", "--budget-seconds")  # that take a value


class ScriptCommand(click.Command):
    """A command whose options end where the script begins, and which knows whether `--` stands
    before it.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words, position = list(args), 0
        while position < len(words) and words[position].startswith("-"):
            if words[position] == "-m":  # what follows the module is its own
                words.insert(position + 2, "--")
                break
            position += 2 if words[position] in OPTIONS else 1
            if words[position - 1] == "--":
                break
        left = super().parse_args(ctx, list(words))
        script = ctx.params.get("words") or ()
        before = len(words) - len(script) - 1
        ctx.meta["is_command"] = (
            bool(script) and ctx.params.get("module") is None and words[before] == "--"
        )
        return left


@click.command(
    "watch",
    cls=ScriptCommand,
    epilog="\b\nsevensteps watch train.py --epochs 3\nsevensteps watch --json found.json train.py\n"
    "sevensteps watch -m package.train\n"
    "sevensteps watch -- torchrun --nproc-per-node 2 train.py",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "-m",
    "module",
    metavar="MODULE",
    help="Run a module, as `python -m MODULE` does; what follows belongs to it.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write what was found into this file, as JSON.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Also write a page that opens anywhere: what was found, and what was seen.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    metavar="SHARE",
    help="The share of the time that watching may cost.",
)
@click.option(
    "--try",
    "tries",
    is_flag=True,
    help="Afterwards run the script again to prove the remedies: untouched, remedied, and changed "
    "at random, on new seeds. Files that these runs write are thrown away.",
)
@click.option(
    "--budget-seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long all trials may take together, with --try.",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT.py [ARGS]...")
@click.pass_context
def command(
    context: click.Context,
    module: str | None,
    json_file: Path | None,
    report_file: Path | None,
    budget: float,
    tries: bool,
    budget_seconds: float,
    words: tuple[str, ...],
) -> None:
    """Run a training script unchanged, watch what it trains, and say at its end what is wrong.

    Options come before SCRIPT; everything after it belongs to the script. Its output, files, exit
    code and random numbers are those of `python SCRIPT.py`; the diagnosis goes to standard error,
    after a Ctrl-C or an exception too. After `--`, a whole command is run, such as torchrun, and
    every Python in it is watched.
    """
    from sevensteps.errors import ArgumentError
    from sevensteps.observe.script.launch import watch_settings, watched

    is_command: bool = context.meta["is_command"]
    if is_command and tries:
        module, words, is_command = *script_of(words), False
    script = words[0] if words else None
    if module is None and script is None:
        raise click.UsageError("give a script: sevensteps watch SCRIPT.py", context)
    if report_file is not None and report_file.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(
            f"a report is a page, and its file ends in .html: --report "
            f"{report_file.with_suffix('.html')}; for JSON: --json {report_file}"
        )
    for path in (json_file, report_file):
        if path is not None and not path.resolve().parent.is_dir():
            raise ArgumentError(f"{path}: there is no folder {path.resolve().parent}")
    settings = watch_settings(
        ENTRY,
        json_file=json_file,
        report_file=report_file,
        budget=budget,
        prints=not is_command and not tries,
        keep=is_command,
        plans=tries,
    )
    environment = watched(os.environ, settings)
    if is_command:
        from sevensteps.api.watch_script import deliver
        from sevensteps.doctor.report.script import ProcessReport

        code = run_command(list(words), environment)
        deliver(ProcessReport(nothing=NOTHING), settings)
        leave_with(code)
    if module is not None:
        arguments = ["-m", module, *words]
    else:
        assert script is not None
        if not Path(script).exists():
            raise ArgumentError(f"{script}: there is no such file")
        arguments = list(words)
    sys.stdout.flush()
    sys.stderr.flush()
    if tries:
        leave_with(run_and_try(arguments, environment, settings, budget_seconds))
    os.execve(sys.executable, [sys.executable, *arguments], environment)


def script_of(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The module of a command such as `python -m MODULE ARGS`, or None, and the words after it, or
    those after `python`. Raises `ArgumentError` for another command.
    """
    from sevensteps.errors import ArgumentError

    python, *rest = words
    if re.fullmatch(r"python[\d.]*(\.exe)?", Path(python).name) and rest:
        if rest[0] == "-m" and len(rest) > 1:
            return rest[1], tuple(rest[2:])
        if not rest[0].startswith("-"):
            return None, tuple(rest)
    raise ArgumentError(
        f"--try takes a script, not {Path(python).name}: sevensteps watch --try SCRIPT.py"
    )


def run_and_try(
    arguments: list[str], environment: dict[str, str], settings: dict[str, Any], seconds: float
) -> int:
    """Run a script, say what was found, run it again to prove the remedies, and say what that came
    to. Ctrl-C and SIGTERM end the trials, and what is known by then is said. Returns the script's
    exit code; that of a signal, below zero, where that ended it.
    """
    from sevensteps.api.watch_script import say, with_others, write_files
    from sevensteps.cli.output import status
    from sevensteps.doctor.report.script import LEAD, ProcessReport

    began = time.perf_counter()
    code = run_command([sys.executable, *arguments], environment)
    duration = time.perf_counter() - began
    report = with_others(ProcessReport(nothing=NOTHING), Path(settings["folder"]))
    say(f"\n{report.text(LEAD)}\n")
    from sevensteps.doctor.trials.script.proof import try_trainings

    def end(number: int, _: Any) -> None:
        nonlocal code
        code = -number
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        with status() as progress:
            count = try_trainings(
                report.trainings, arguments, duration, budget=seconds, report=progress
            )
    except KeyboardInterrupt:
        count = 1
        code = code if code == -signal.SIGTERM else 130
    finally:
        signal.signal(signal.SIGTERM, before)
    if count:
        said = report.tried_text() or "No trial was finished."
    elif any(training.diagnosis.get("findings") for training in report.trainings):
        said = "There is no remedy here that can be tried on the script from outside."
    else:
        said = "Nothing was found, so there is nothing to try."
    say(f"\n{said}\n")
    script = next((word for word in arguments if not word.startswith("-")), "")
    write_files(report, settings, Path(script).name)
    return code


def run_command(words: list[str], environment: dict[str, str]) -> int:
    """Run a command to its end; Ctrl-C is for it, and it is waited for. Returns its exit code, that
    of a signal below zero.
    """
    from sevensteps.errors import ArgumentError

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        heed = _heed_interrupts if os.name == "posix" else None  # elsewhere nothing is inherited
        return subprocess.Popen(words, env=environment, preexec_fn=heed).wait()
    except FileNotFoundError:
        raise ArgumentError(f"{words[0]}: there is no such command") from None
    finally:
        signal.signal(signal.SIGINT, before)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def leave_with(code: int) -> None:
    """End as the command ended that was run: with its exit code, or by the signal that ended it."""
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
