"""Examples of words of loops, of computers, and of what is said about a training."""

from __future__ import annotations

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import NOTHING_TRAINED, Example, example_of, no_example
from sevensteps.render.text import count_text, number_text


@example_of("norm")
def _norm(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    layer = run.first_step.layers[0]
    return Example(
        f"at the first step the gradient of {layer.name} has the length "
        f"{number_text(layer.gradient)}, its weights {number_text(layer.parameters)}",
        {"layer": layer.name, "gradient": layer.gradient, "weights": layer.parameters},
    )


@example_of("NaN")
def _nan(run: RunNumbers) -> Example:
    rows = [row[part]["loss"] for row in run.subject.history for part in ("train", "valid")]
    lost = sum(loss is None or loss - loss != 0 for loss in rows)
    if lost:
        return Example(
            f"{lost} of the {len(rows)} losses of its epochs are no numbers", {"count": lost}
        )
    return no_example(f"all {len(rows)} losses of its epochs are numbers")


@example_of("mixed precision")
def _mixed_precision(run: RunNumbers) -> Example:
    precision = run.subject.summary.precision
    return no_example(f"all its numbers are {precision}")


@example_of("checkpoint")
def _checkpoint(run: RunNumbers) -> Example:
    summary, folder = run.subject.summary, run.subject.folder
    if folder is None:
        return no_example("it was not saved")
    return Example(
        f"in its folder {folder.name}: that of the last epoch, {summary.epochs}, and that of the "
        f"best, {summary.best.epoch}",
        {"last": summary.epochs, "best": summary.best.epoch},
    )


@example_of("data leakage")
def _data_leakage(run: RunNumbers) -> Example:
    count, total = run.subject.data.duplicates, len(run.subject.data.valid)
    if count is None:
        return no_example("its samples are too many to be compared")
    return Example(
        f"{count:,} of its {count_text(total, 'validation sample')} "
        f"{'has' if total == 1 else 'have'} the same inputs as a training sample",
        {"duplicates": count, "samples": total},
    )


@example_of("device")
def _device(run: RunNumbers) -> Example:
    summary = run.subject.summary
    return Example(
        f"{summary.device}, {count_text(summary.threads, 'thread')}",
        {"device": summary.device, "threads": summary.threads},
    )


@example_of("finding")
def _finding(run: RunNumbers) -> Example:
    findings = run.subject.summary.findings
    names = [str(finding["condition"]) for finding in findings]
    if not names:
        return no_example("nothing was found wrong with it")
    return Example(
        f"{count_text(len(names), 'finding')}: {', '.join(names)}", {"conditions": names}
    )


@example_of("look")
def _look(run: RunNumbers) -> Example:
    observation = run.subject.observation
    if observation is None or not observation.looks:
        return no_example("it was not watched")
    looks, steps = len(observation.looks), run.subject.summary.steps
    return Example(
        f"{count_text(looks, 'look')} in {count_text(steps, 'step')}",
        {"looks": looks, "steps": steps},
    )
