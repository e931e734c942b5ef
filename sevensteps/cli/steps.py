"""`sevensteps steps`: the values that each of the seven steps can have."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from sevensteps.aliases import rewrite
from sevensteps.cli.completion import complete_step
from sevensteps.cli.options import json_option
from sevensteps.cli.output import console, table
from sevensteps.errors import NotationError, nearest
from sevensteps.notation import Entry
from sevensteps.steps import QUESTIONS, STEPS, catalog, known


@click.command(
    "steps",
    epilog="\b\nsevensteps steps\nsevensteps steps loss\nsevensteps steps loss cross_entropy",
)
@click.argument("step", required=False, shell_complete=complete_step)
@click.argument("name", required=False)
@json_option()
def command(step: str | None, name: str | None, as_json: bool) -> None:
    """List the seven steps; with STEP its values; with STEP NAME, or NAME alone, the description of
    one value.
    """
    if step is not None and step not in STEPS:
        step, name = _step_of(step, name)
    if step is None:
        content: Any = {
            step: {"question": QUESTIONS[step], "values": [e.name for e in catalog(step)]}
            for step in STEPS
        }
    elif name is None:
        content = [_json(entry) for entry in catalog(known(step))]
    else:
        content = _json(_entry(known(step), name))
    if as_json:
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    from rich.text import Text

    screen = console()
    if step is None:
        screen.print(
            table(
                (
                    Text(f"{number} {step}", "bold"),
                    Text.assemble(
                        QUESTIONS[step], "\n", (", ".join(content[step]["values"]), "dim")
                    ),
                )
                for number, step in enumerate(STEPS, 1)
            )
        )
        screen.print(
            "\nsevensteps steps STEP lists the values of a step. To choose one:\n"
            '  sevensteps train digits --predict "mlp(30)" --step "sgd(lr=0.5)"',
            style="dim",
        )
    elif name is None:
        screen.print(
            Text.assemble(
                (f"Step {STEPS.index(step) + 1}, {step}: ", "bold"), QUESTIONS[step], "\n"
            )
        )
        screen.print(
            table([(Text(entry.name, "bold"), Text(entry.summary)) for entry in catalog(step)])
        )
        screen.print(
            f"\nsevensteps steps {step} NAME describes one of them, with its arguments and source.",
            style="dim",
        )
    else:
        entry = _entry(step, name)
        screen.print(Text.assemble((entry.name, "bold"), f"({entry.arguments})\n"))
        screen.print(unwrapped(entry.doc))


def unwrapped(doc: str) -> str:
    """`doc` with one line for each paragraph and each `name: …` in it, for any width of a screen.

    >>> print(unwrapped("one\\ntwo\\n\\nsize: three\\nfour\\nSource: five"))
    one two
    <BLANKLINE>
    size: three four
    Source: five
    """
    return re.sub(r"(?<!\n)\n(?!\n|\w+: )", " ", doc)


def _step_of(word: str, name: str | None) -> tuple[str, str | None]:
    """The step and the value that `word` means, where it is no step: `sgd`, or `mse`."""
    value = word.partition("(")[0]
    for step in STEPS:
        for meant in (value, rewrite(step, value).partition("(")[0]):
            if name is None and meant in {entry.name for entry in catalog(step)}:
                return step, meant
    return word, name


def _json(entry: Entry) -> dict[str, str]:
    return {
        "name": entry.name,
        "arguments": entry.arguments,
        "summary": entry.summary,
        "doc": entry.doc,
    }


def _entry(step: str, name: str) -> Entry:
    entries = {entry.name: entry for entry in catalog(step)}
    name = name if name in entries else rewrite(step, name).partition("(")[0]
    if name not in entries:
        raise NotationError(f"{step} has no '{name}'; {nearest(name, entries)}")
    return entries[name]
