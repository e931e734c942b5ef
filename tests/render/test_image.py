"""Images as text: thumbnails in half blocks, in ink or in gray."""

from __future__ import annotations

import torch
from rich.console import Console

from sevensteps.render.image import gray_thumbnail, ink_thumbnail

IMAGE = torch.tensor([[[0.0, 9.0, 9.0], [9.0, 0.0, 9.0], [9.0, 0.0, 0.0]]])


def test_an_image_is_drawn_two_pixels_to_a_character() -> None:
    assert ink_thumbnail(IMAGE) == "▄▀█\n▀  "
    assert ink_thumbnail(IMAGE, ascii_only=True) == '_"#\n"  '
    assert ink_thumbnail(torch.ones(3, 2, 2)) == "  "  # no contrast, no ink
    lines = ink_thumbnail(torch.eye(28)[None]).splitlines()
    assert (len(lines), {len(line) for line in lines}) == (7, {14})


def test_an_image_is_shaded_where_there_are_colours() -> None:
    drawn = gray_thumbnail(IMAGE)
    assert drawn.plain == "▀▀▀\n▀▀▀"
    assert str(drawn.spans[0].style) == "rgb(0,0,0) on rgb(255,255,255)"
    console = Console(force_terminal=True, color_system="truecolor", width=20)
    with console.capture() as captured:
        console.print(drawn)
    assert "\x1b[38;2;255;255;255;48;2;0;0;0m▀" in captured.get()
