"""The long description of the package: the README, whose links lead to files beside it, with links
that work anywhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "sevensteps/sevensteps"
PAGES = f"https://github.com/{REPOSITORY}/blob/main/"
FILES = f"https://raw.githubusercontent.com/{REPOSITORY}/main/"  # of pictures


def absolute_links(text: str) -> str:
    """Markdown with its relative links made absolute; those within the page stay.

    >>> absolute_links("![a](docs/a.svg) [b](B.md#c) [d](#e)").count("https://")
    2
    """
    target = r"\]\((?!https?:|mailto:|#)([^)\s]+)\)"
    text = re.sub(r"(!\[[^\]]*)" + target, rf"\1]({FILES}\2)", text)
    return re.sub(target, rf"]({PAGES}\1)", text)


class ReadmeHook(MetadataHookInterface):
    """What hatchling asks for the metadata that pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute_links(text)}
