"""What the tabs of the page share."""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from PIL import Image

from ignn_jax.app.sessions import Session, Sessions
from ignn_jax.app.upscaling import Machine
from ignn_jax.app.views import new_png
from ignn_jax.errors import InputError


class App(NamedTuple):
    """What the program was started with.

    Attributes:
      sessions: the open pages.
      weights: the networks to choose from; at least one.
      vgg19: a file of VGG19's first convolutions, or None.
      machine: how networks are run.
      max_pixels: larger pictures are refused.
      words: what to say of an error.
    """

    sessions: Sessions
    weights: tuple[str, ...]
    vgg19: Path | None
    machine: Machine
    max_pixels: int
    words: Callable[[InputError], str]

    def session(
        self, request: gr.Request, uploads: Iterable[str | Path] = ()
    ) -> Session:
        """The session of the page that asks."""
        return self.sessions.of(str(request.session_hash), uploads)

    def say(self, error: InputError) -> str:
        """An error in words, with the names of files but not of their folders."""
        folder = re.escape(str(self.sessions.folder))
        return re.sub(rf"{folder}/(?:[^/\s]+/)+", "", self.words(error))


def sentence(words: str, *, tag: str = "p") -> str:
    """Words as HTML."""
    return f"<{tag}>{html.escape(words)}</{tag}>"


def failed(words: str, *, tag: str = "p") -> str:
    """Words as HTML that say what went wrong."""
    return f'<{tag} class="failed">{html.escape(words)}</{tag}>'


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as an HTML table; the first one is its head."""
    lines = [
        "".join(sentence(cell, tag=tag) for cell in row)
        for tag, row in zip(["th"] + ["td"] * len(rows), rows, strict=False)
    ]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def saved(image: Image.Image, folder: Path) -> str:
    """The path of an image that is written as a PNG."""
    path = new_png(folder)
    image.save(path)
    return str(path)
