"""benchmarks/doctor/RESULTS.md: the doctor's own tables first, then a section for each further
measurement, put in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FILE = Path(__file__).parent / "RESULTS.md"


def put(title: str, lines: Sequence[str], file: Path = FILE) -> None:
    """Write the section `# title` into `file`, in place of the one of this title, else at the
    end.
    """
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(joined(before, title, lines), encoding="utf-8")


def joined(before: str, title: str, lines: Sequence[str]) -> str:
    """`before` with the section `lines`, whose first is `# title`, in place of the section of that
    title.
    """
    head, title_line, rest = f"\n{before}".partition(f"\n# {title}\n")
    _, next_title, after = rest.partition("\n# ")
    parts = [
        head.strip(),
        "\n".join(lines).strip(),
        f"# {after}".strip() if title_line and next_title else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
