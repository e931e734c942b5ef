"""What `sevensteps explain` can be asked, and how a question is read that names no run."""

from __future__ import annotations

from typing import Any

import click

from sevensteps.errors import nearest

QUESTIONS = {  # in the order in which they help most
    "why": "The questions that readers of this run ask.",
    "steps": "One training step, 1 to 7, before and after.",
    "sample": "One sample, or several: layers, answer, loss.",
    "gradient": "The backward pass, or one parameter's gradient.",
    "neuron": "One unit: its weights, and what makes it fire.",
    "surface": "The loss around the end: curvature, optimum, path.",
    "shapes": "The shapes of all tensors in the forward pass.",
    "words": "The words of the field, with this run's numbers.",
}
COMMON = {"samples": "sample", "gradients": "gradient", "step": "steps", "shape": "shapes"} | {
    "word": "words",
    "glossary": "words",
    "neurons": "neuron",
    "unit": "neuron",
    "loss": "sample",
}


class Questions(click.Group):
    """The questions about a run. `explain why` asks the newest run, `explain RUN` alone lists the
    questions.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in QUESTIONS if name in self.commands]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:  # which completes a line
            click.echo(ctx.get_help())
            ctx.exit()
        if not args:
            return super().parse_args(ctx, args)
        first, second = (COMMON.get(word, word) for word in (*args, "")[:2])
        # `words sample` asks for the word; `sample why` asks about a run that is called sample
        if first in QUESTIONS and (first == "words" or second not in QUESTIONS):
            args = ["last", *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = COMMON.get(args[0], args[0])
        if name in self.commands:
            return name, self.commands[name], args[1:]
        run = ctx.params["run"]
        if name.isdigit():
            raise click.UsageError(f"write what to explain: sevensteps explain {run} sample {name}")
        raise click.UsageError(f"there is no question '{name}'; {nearest(name, QUESTIONS)}")
