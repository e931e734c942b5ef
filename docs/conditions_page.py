"""The pages of the conditions, written when the documentation is built: from the docstrings and
thresholds of the conditions themselves, and from the pages of symptoms that name them.

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
SYMPTOMS = Path(__file__).parent / "symptoms"
NAMES = re.compile(rf"\b({'|'.join(condition_names())})\b")


def index() -> str:
    """Every condition in a line, in the order of the seven steps, as Markdown."""
    parts = []
    for number, (step, names) in enumerate(BY_STEP.items(), 1):
        lines = [f"| [{name}](conditions/{name}.md) | {summary(name)} |" for name in names]
        parts += [
            f"## {number}. {step}",
            f"[{QUESTIONS[step].capitalize()}](steps/{step}.md)",
            "\n".join(["| condition | what happens |", "|---|---|", *lines]),
        ]
    pages = "\n".join(f"conditions/{name}" for name in condition_names())
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{pages}\n```"]) + "\n"


def summary(name: str) -> str:
    """What happens, in a sentence."""
    first = " ".join((condition(name).__doc__ or "").split("\n\n")[0].split())
    text = first.removeprefix(f"{name}: ")
    return markdown(text[0].upper() + text[1:], name, "conditions/")


def page(name: str) -> str:
    """One condition as Markdown."""
    module = condition(name)
    parts = sections(name)
    lines = [
        f"# {name}",
        f"Step to blame: [{module.STEP}](../steps/{module.STEP}.md).",
        markdown(parts["mechanism"][0].upper() + parts["mechanism"][1:], name),
    ]
    for part in PARTS:
        lines += [f"## {part}", markdown(parts[part][0].upper() + parts[part][1:], name)]
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        if part == "Measured" and (numbers := thresholds(source)):
            lines.append(
                "\n".join(
                    f"- `{key} = {value}`" + (f": {markdown(of, name)}" if of else "")
                    for key, value, of in numbers
                )
            )
    causes = [other for other in condition_names() if name in condition(other).EXPLAINS]
    for title, others in (("Explains", module.EXPLAINS), ("May be a symptom of", causes)):
        if others:
            lines += [f"## {title}", " · ".join(linked(other, name) for other in others)]
    if cases := cases_of(name):
        lines += ["## Seen in a training", " · ".join(f"[{t}](../symptoms/{f})" for f, t in cases)]
    return "\n\n".join(lines) + "\n"


def cases_of(name: str) -> list[tuple[str, str]]:
    """The pages of symptoms that find this condition, or name it: file and title."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(SYMPTOMS.glob("*.md"))}
    return [
        (file, text.splitlines()[0].removeprefix("# "))
        for file, text in texts.items()
        if file != "index.md" and re.search(rf"\b{name}\b", text)
    ]


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


def markdown(text: str, here: str, folder: str = "") -> str:
    """Plain text with `code` in backticks as Markdown; conditions other than `here` become
    links to their pages in `folder`.
    """
    pieces = re.split(r"(`[^`]+`)", text)
    for index in range(0, len(pieces), 2):
        plain = re.sub(r"([\\*_\[\]<>|$])", r"\\\1", pieces[index])
        names = re.compile(NAMES.pattern.replace("_", r"\\_"))
        pieces[index] = names.sub(
            lambda found: linked(found[1].replace("\\", ""), here, folder), plain
        )
    return "".join(pieces)


def linked(name: str, here: str, folder: str = "") -> str:
    """A condition's name as a link to its page."""
    return f"[{name}]({folder}{name}.md)" if name != here else name
