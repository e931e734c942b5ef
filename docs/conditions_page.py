"""The page of conditions, written when the documentation is built: from the docstrings and
thresholds of the conditions themselves.

A docstring there has three paragraphs: the condition in one sentence; its mechanism, what is
measured and the source; the remedies, and what it is silent on. A threshold is a number at the top
of the file, and the comment beside it says of what."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from pathlib import Path

from sevensteps.doctor.conditions import BY_STEP, condition, condition_names
from sevensteps.steps import QUESTIONS

PARTS = ("Measured", "Remedies", "Silent on")
NAMES = re.compile(rf"\b({'|'.join(condition_names())})\b")


def page() -> str:
    """Every condition, in the order of the seven steps, as Markdown."""
    parts = []
    for number, (step, names) in enumerate(BY_STEP.items(), 1):
        parts += [
            f"## {number}. {step}",
            f"[{QUESTIONS[step].capitalize()}](steps/{step}.md)",
            *(entry(name) for name in names),
        ]
    return "\n\n".join(parts) + "\n"


def entry(name: str) -> str:
    """One condition as Markdown."""
    module = condition(name)
    parts = sections(name)
    lines = [f"### {name}", markdown(parts["mechanism"][0].upper() + parts["mechanism"][1:], name)]
    for part in PARTS:
        lines.append(f"**{part}.** {markdown(parts[part][0].upper() + parts[part][1:], name)}")
        source = str(condition(name).__file__)
        numbers = thresholds(Path(source).read_text(encoding="utf-8"))
        if part == "Measured" and numbers:
            lines[-1] += "\n\n" + "\n".join(
                f"- `{key} = {value}`" + (f": {markdown(of, name)}" if of else "")
                for key, value, of in numbers
            )
    if module.EXPLAINS:
        lines.append(
            f"**Explains.** {', '.join(f'[{other}](#{other})' for other in module.EXPLAINS)}."
        )
    return "\n\n".join(lines)


def sections(name: str) -> dict[str, str]:
    """What a condition's docstring says: "mechanism", and each of `PARTS`."""
    first, *others = [
        " ".join(paragraph.split()) for paragraph in (condition(name).__doc__ or "").split("\n\n")
    ]
    details, *pieces = re.split(rf"(?:^|\s)({'|'.join(PARTS)}): ", " ".join(others))
    mechanism = f"{first.removeprefix(f'{name}: ')} {details}".strip()
    return {"mechanism": mechanism, **dict(zip(pieces[::2], pieces[1::2], strict=True))}


def value_of(node: ast.expr) -> object:
    """The value of a literal, with its sign; None of anything else."""
    with suppress(ValueError):
        return ast.literal_eval(node)
    return None


def thresholds(source: str) -> list[tuple[str, str, str]]:
    """The numbers at the top of a condition's file: name, value, the comment beside or above."""
    lines = source.splitlines()
    numbers = []
    for node in ast.parse(source).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(number := value_of(node.value), int | float)
            and not isinstance(number, bool)
        ):
            above = node.lineno - 1
            while lines[above - 1].startswith("#"):
                above -= 1
            code, _, beside = lines[node.lineno - 1].partition("#")
            name, _, value = code.partition("=")
            comment = beside or " ".join(
                line.strip("# ") for line in lines[above : node.lineno - 1]
            )
            numbers.append((name.strip(), value.strip(), comment.strip()))
    return numbers


def files() -> dict[str, Path]:
    """The file of each condition."""
    return {name: Path(str(condition(name).__file__)) for name in condition_names()}


def markdown(text: str, here: str) -> str:
    """Plain text with `code` in backticks as Markdown; conditions other than `here` become
    links.
    """
    pieces = re.split(r"(`[^`]+`)", text)
    for index in range(0, len(pieces), 2):
        plain = re.sub(r"([\\*_\[\]<>|$])", r"\\\1", pieces[index])
        names = re.compile(NAMES.pattern.replace("_", r"\\_"))
        pieces[index] = names.sub(lambda found: linked(found[1].replace("\\", ""), here), plain)
    return "".join(pieces)


def linked(name: str, here: str) -> str:
    """A condition's name as a link to its section."""
    return f"[{name}](#{name})" if name != here else name
