"""The page of conditions, written when the documentation is built: from the docstrings and
thresholds of the conditions themselves.

A docstring there has three paragraphs: the mechanism, what is measured, and remedies together with
what the condition stays silent on. A threshold is a number at the top of the file, and the comment
beside it says of what."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from sevensteps.doctor.conditions import BY_STEP, CONDITIONS, condition
from sevensteps.steps import QUESTIONS

PARTS = ("Measured", "Remedies", "Silent on")
NAMES = re.compile(rf"\b({'|'.join(CONDITIONS)})\b")


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
    said = sections(name)
    lines = [f"### {name}", markdown(said["mechanism"][0].upper() + said["mechanism"][1:], name)]
    for part in PARTS:
        lines.append(f"**{part}.** {markdown(said[part][0].upper() + said[part][1:], name)}")
        if part == "Measured" and (held := thresholds(files()[name].read_text(encoding="utf-8"))):
            lines[-1] += "\n\n" + "\n".join(
                f"- `{key} = {value}`" + (f": {markdown(of, name)}" if of else "")
                for key, value, of in held
            )
    if module.EXPLAINS:
        lines.append(
            f"**Explains.** {', '.join(f'[{other}](#{other})' for other in module.EXPLAINS)}."
        )
    return "\n\n".join(lines)


def sections(name: str) -> dict[str, str]:
    """What a condition's docstring says: "mechanism", and each of `PARTS`."""
    paragraphs = [
        " ".join(paragraph.split()) for paragraph in (condition(name).__doc__ or "").split("\n\n")
    ]
    found = {"mechanism": paragraphs[0].removeprefix(f"{name}: ")}
    pieces = re.split(rf"(?:^|\s)({'|'.join(PARTS)}): ", " ".join(paragraphs[1:]))
    return found | dict(zip(pieces[1::2], pieces[2::2], strict=True))


def thresholds(source: str) -> list[tuple[str, str, str]]:
    """The numbers at the top of a condition's file: name, value, and the comment beside it."""
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, int | float)
        ):
            value, _, comment = lines[node.lineno - 1].partition("#")
            name, _, number = value.partition("=")
            found.append((name.strip(), number.strip(), comment.strip()))
    return found


def files() -> dict[str, Path]:
    """The file of each condition."""
    return {name: Path(str(condition(name).__file__)) for name in CONDITIONS}


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
