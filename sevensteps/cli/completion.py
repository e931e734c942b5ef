"""What a shell offers when Tab is pressed: names of data, values of steps, runs and their layers.

Switched on by a line in the shell's start-up file, such as
`eval "$(_SEVENSTEPS_COMPLETE=bash_source sevensteps)"`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from sevensteps.errors import Error

if TYPE_CHECKING:
    import click

    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
MAX_HEADER = 10_000_000  # bytes of a list of tensors


def matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Those of `names` that begin with what was typed."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_data(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The data sets that come by name, or files."""
    from sevensteps.data.loading import GATES, catalog

    named = [name for name, entry in catalog().items() if entry.arguments.startswith("*")]
    return matching([*named, *GATES], incomplete) or [CompletionItem(incomplete, type="file")]


def complete_run(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """`last`, the names of the runs, newest first, or folders."""
    return matching(run_names(), incomplete) or [CompletionItem(incomplete, type="dir")]


def complete_run_or_question(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What may follow `explain`: a run, or a question about the newest one."""
    from sevensteps.cli.questions import QUESTIONS

    return matching([*QUESTIONS, *run_names()], incomplete)


def run_names() -> list[str]:
    """`last`, and the names of the runs, newest first."""
    from sevensteps.record.run_folder import list_runs

    return ["last", *(folder.name for folder in reversed(list_runs()))]


def complete_value(step: str) -> Complete:
    """A function that completes the values of a step: `sgd(`, `adam(` …"""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from sevensteps.steps import catalog

        texts = (f"{entry.name}({'' if entry.arguments else ')'}" for entry in catalog(step))
        return matching(texts, incomplete.lstrip("\"'"))

    return complete


def complete_step(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of the seven steps."""
    from sevensteps.steps import STEPS

    return matching(STEPS, incomplete)


def complete_layer(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The layers of the run that was named before, or of the newest."""
    from sevensteps.record.run_folder import find_run_folder

    run = (context.parent.params.get("run") if context.parent else None) or "last"
    with suppress(Error, OSError, ValueError, struct.error):
        return matching(layer_names(find_run_folder(run) / "weights.safetensors"), incomplete)
    return []


def layer_names(path: Path) -> list[str]:
    """The layers whose tensors a safetensors file has, read from its header alone."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(min(length, MAX_HEADER)))
    names = (name.rpartition(".")[0] for name in header if name != "__metadata__")
    return list(dict.fromkeys(filter(None, names)))
