"""`sevensteps predict`: what a run's network answers to new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.options import allow_code_option, json_option
from sevensteps.cli.output import console, print_json, table

if TYPE_CHECKING:
    from sevensteps.api.run import Answers, Run

MAX_CLASSES = 3  # whose probabilities are printed


@click.command(
    "predict",
    epilog="\b\nsevensteps predict last seven.png\nsevensteps predict last --best flowers.csv\n"
    "sevensteps predict runs/NAME scan.jpg --resize --invert",
)
@click.argument("run", metavar="RUN")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--best", is_flag=True, help="Use the weights of the best epoch, not those of the last."
)
@click.option(
    "--resize", is_flag=True, help="Resize pictures to the size that the network was trained on."
)
@click.option(
    "--invert",
    is_flag=True,
    help="Invert pictures: dark on light becomes light on dark, as in MNIST.",
)
@allow_code_option("the recipe")
@json_option("Print JSON, one line for each sample.")
def command(
    run: str,
    files: tuple[Path, ...],
    best: bool,
    resize: bool,
    invert: bool,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Predict with the network of RUN. A FILE is a picture, a CSV file with a row for each sample,
    or a .npy array.

    RUN is a run folder, a name under runs/, or: last. Inputs are raw: they are scaled as they were
    in the training.
    """
    from sevensteps.api.load import load
    from sevensteps.data.prediction_inputs import read_inputs

    loaded = load(run, allow_code=allow_code)
    # all are read before the first is answered
    inputs = [
        (path, *read_inputs(path, loaded.inputs, resize=resize, invert=invert)) for path in files
    ]
    rows: list[dict[str, Any]] = []
    for path, names, raw in inputs:
        answers = loaded.predict(raw, "best" if best else "last")
        rows += [
            {"file": str(path), "sample": name, **_answer(loaded, answers, index)}
            for index, name in enumerate(names)
        ]
    if as_json:
        for row in rows:
            print_json(row)
        return
    probable = "probabilities" in rows[0]
    console().print(
        table(
            (
                [
                    row["sample"],
                    _text(row["answer"]),
                    *([_most_likely(row["probabilities"])] if probable else []),
                ]
                for row in rows
            ),
            header=["sample", "answer", *(["most likely"] if probable else [])],
        )
    )


def _answer(run: Run, answers: Answers, index: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "answer": answers.answers[index],
        "output": answers.outputs[index].tolist(),
    }
    if run.output.link == "identity":
        return row
    shares, classes = answers.predictions[index].tolist(), run.output.task.classes
    if len(shares) == 1 and len(classes) == 2:  # one output: the probability of the second class
        shares = [1 - shares[0], shares[0]]
    return {**row, "probabilities": dict(zip(classes, shares, strict=True))}


def _text(answer: Any) -> str:
    if isinstance(answer, tuple):
        return ", ".join(map(_text, answer)) or "none"
    return f"{answer:.6g}" if isinstance(answer, float) else str(answer)


def _most_likely(probabilities: dict[str, float]) -> str:
    first = sorted(probabilities.items(), key=lambda item: -item[1])[:MAX_CLASSES]
    return "  ".join(f"{name} {share:.3f}" for name, share in first)
