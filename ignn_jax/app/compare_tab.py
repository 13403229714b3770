"""The tab that compares pictures of the same size."""

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from ignn_jax.app.comparing import compare, pair_up
from ignn_jax.app.page import App, failed, saved, sentence, table
from ignn_jax.app.sessions import StoppedError
from ignn_jax.errors import InputError
from ignn_jax.evaluation.scores import Score, mean_score

_PAIRS = "pairs"  # in `Session.shown`

Update = dict[Any, Any]


class CompareTab:
    """The components of the tab and what they do."""

    def __init__(self, app: App):
        """Adds the tab's contents to the page that is being built."""
        self._app = app
        with gr.Row():
            self.first, self.second = (
                gr.File(label=label, file_count="multiple", height=150, elem_id=name)
                for name, label in (
                    ("first", "Pictures"),
                    ("second", "The same pictures, such as the originals"),
                )
            )
        self.border = gr.Number(
            0,
            label="Pixels to leave out on every side (by custom, the scale)",
            precision=0,
            minimum=0,
        )
        self.button = gr.Button("Compare", variant="primary")
        self.said = gr.HTML(sentence("Add pictures on both sides."), elem_id="scores")
        self.pair = gr.Dropdown(label="Pictures to look at", visible=False)
        with gr.Row():
            self.slider = gr.ImageSlider(
                label="The left one on the left",
                interactive=False,
                visible=False,
                max_height=720,
                buttons=["fullscreen"],
                elem_id="both",
            )
            self.difference = gr.Image(
                label="Differences of Y: black is none, yellow 32 of 255 or more",
                interactive=False,
                visible=False,
                buttons=["fullscreen", "download"],
                elem_id="difference",
            )
        views = [self.said, self.slider, self.difference]
        self.button.click(
            self._compare,
            [self.first, self.second, self.border],
            [self.pair, *views],
        ).success(self._look, [self.pair, self.border], views)
        self.pair.input(self._look, [self.pair, self.border], views)

    def _compare(
        self,
        first: list[str] | None,
        second: list[str] | None,
        border: int,
        request: gr.Request,
    ) -> Update:
        """Scores all pairs."""
        hidden = gr.update(visible=False)
        update: Update = dict.fromkeys(
            (self.pair, self.slider, self.difference), hidden
        )
        if not first or not second:
            return {self.said: sentence("Add pictures on both sides first."), **update}
        session = self._app.session(request, [*first, *second])
        session.shown.pop(_PAIRS, None)
        try:
            pairs = pair_up(first, second)
        except InputError as error:
            return {self.said: failed(self._app.say(error)), **update}
        scores: dict[str, Score] = {}
        errors = []
        for a, b in pairs:
            try:
                with session.work():
                    score = compare(a, b, border=border).score
                scores[_name(a, b)] = score
            except InputError as error:
                errors.append(failed(self._app.say(error)))
        if not scores:
            return {self.said: "".join(errors), **update}
        session.shown[_PAIRS] = {_name(a, b): (a, b) for a, b in pairs}
        names = list(scores)
        choice = gr.update(visible=len(names) > 1, choices=names, value=names[0])
        return {
            self.said: _table(scores) + "".join(errors),
            **update,
            self.pair: choice,
        }

    def _look(self, name: str | None, border: int, request: gr.Request) -> Update:
        """Shows a pair under a slider, and where it differs."""
        session = self._app.session(request)
        pair = session.shown.get(_PAIRS, {}).get(name)
        if pair is None:
            return {self.slider: gr.skip()}
        try:
            with session.work():
                compared = compare(*pair, border=border)
                folder = session.new_folder("compared")
                a, b, difference = (
                    saved(Image.fromarray(pixels), folder)
                    for pixels in (compared.a, compared.b, compared.difference())
                )
        except InputError as error:  # the border has changed
            return {self.said: failed(self._app.say(error))}
        except StoppedError:  # the page is closed
            return {self.said: gr.skip()}
        return {
            self.slider: gr.update(visible=True, value=(a, b)),
            self.difference: gr.update(visible=True, value=difference),
        }


def _name(a: Path, b: Path) -> str:
    return a.name if a.name == b.name else f"{a.name} and {b.name}"


def _table(scores: dict[str, Score]) -> str:
    rows = [("", "PSNR on Y", "SSIM on Y")]
    if len(scores) > 1:
        scores = {**scores, "mean": mean_score(scores.values())}
    for name, score in scores.items():
        words = f"{score.psnr:.2f} dB" if score.psnr < np.inf else "the same"
        rows.append((name, words, f"{score.ssim:.4f}"))
    return table(rows)
