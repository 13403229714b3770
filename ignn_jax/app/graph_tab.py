"""The tab that shows the neighbors of a patch in the graph."""

from pathlib import Path
from typing import Any

import gradio as gr

from ignn_jax.app.clicks import Shown
from ignn_jax.app.page import App, failed, saved, sentence, table
from ignn_jax.app.sessions import Session, StoppedError
from ignn_jax.app.views import new_png
from ignn_jax.errors import InputError
from ignn_jax.evaluation.variants import Variant
from ignn_jax.inspection.explain import (
    explain_patch,
    neighbor_table,
    title_of,
    write_titled,
)
from ignn_jax.inspection.figure import draw_scene
from ignn_jax.models.embedding import VGG19
from ignn_jax.pictures.reader import read_rgb
from ignn_jax.weights.file import read_header
from ignn_jax.weights.find import find_weights

_OWN = "the network's"
_SHOWN = "graph"  # in `Session.shown`, and its folder
_MOST_NEIGHBORS, _LARGEST_WINDOW = 12, 60

Update = dict[Any, Any]


class GraphTab:
    """The components of the tab and what they do."""

    def __init__(self, app: App):
        """Adds the tab's contents to the page that is being built."""
        self._app = app
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._add_settings()
            with gr.Column(scale=3, min_width=300):
                self.image = gr.Image(
                    label="Click anywhere",
                    interactive=False,
                    visible=False,
                    buttons=["fullscreen"],
                    elem_id="clicked",
                )
        self.figure = gr.Image(
            label="The patches",
            interactive=False,
            visible=False,
            buttons=["fullscreen", "download"],
            elem_id="figure",
        )
        self._connect()

    def _add_settings(self) -> None:
        names = self._app.weights
        self.file = gr.File(label="Picture", height=150, elem_id="picture")
        self.weights = gr.Dropdown(names, value=names[0], label="Network")
        neighbors, window = self._own_graph(names[0])
        self.neighbors = gr.Slider(
            1, _MOST_NEIGHBORS, neighbors, step=1, label="Neighbors k"
        )
        self.window = gr.Slider(
            1, _LARGEST_WINDOW, window, step=1, label="Window d, in patches"
        )
        embeddings = [_OWN, "rgb", *([VGG19] if self._app.vgg19 else [])]
        self.embedding = gr.Radio(
            embeddings, value=_OWN, label="Features by which patches are compared"
        )
        with gr.Row():
            self.x = gr.Number(0, label="x", precision=0, minimum=0)
            self.y = gr.Number(0, label="y", precision=0, minimum=0)
        self.button = gr.Button("Show the patch at x, y", variant="primary")
        self.said = gr.HTML(
            sentence("Add a picture, and click anywhere on it."), elem_id="said"
        )

    def _connect(self) -> None:
        self.file.change(
            self._open, self.file, [self.said, self.image, self.figure, self.x, self.y]
        )
        self.weights.input(
            self._own_graph, self.weights, [self.neighbors, self.window], queue=False
        )
        settings = [self.weights, self.neighbors, self.window, self.embedding]
        seen = [self.said, self.image, self.figure]
        self.image.select(self._click, None, [self.x, self.y], queue=False).success(
            self._explain,
            [self.x, self.y, *settings],
            seen,
            trigger_mode="always_last",
        )
        gr.on(
            [
                self.button.click,
                self.neighbors.release,
                self.window.release,
                self.embedding.input,
            ],
            self._explain,
            [self.x, self.y, *settings],
            seen,
            trigger_mode="always_last",
        )

    @staticmethod
    def _own_graph(weights: str) -> tuple[int, int]:
        """k and d of a network, as far as the sliders reach."""
        graph = read_header(find_weights(weights))["model"].get("graph", {})
        neighbors = graph.get("neighbors", 5)
        window = graph.get("window", 30) or _LARGEST_WINDOW
        return min(neighbors, _MOST_NEIGHBORS), min(window, _LARGEST_WINDOW)

    def _open(self, path: str | None, request: gr.Request) -> Update:
        """Shows a picture to click at."""
        hidden = gr.update(visible=False, value=None)
        if path is None:
            return {self.image: hidden, self.figure: hidden}
        session = self._app.session(request, [path])
        try:
            picture = read_rgb(path)
        except InputError as error:
            words = failed(self._app.say(error))
            return {self.said: words, self.image: hidden, self.figure: hidden}
        height, width, _ = picture.shape
        shown = Shown.of(picture)
        folder = session.new_folder(_SHOWN)
        session.shown[_SHOWN] = Path(path), shown
        return {
            self.said: sentence(f"{width} x {height} pixels. Click anywhere on it."),
            self.image: gr.update(visible=True, value=saved(shown.image, folder)),
            self.figure: hidden,
            self.x: width // 2,
            self.y: height // 2,
        }

    def _click(self, event: gr.SelectData, request: gr.Request) -> tuple[int, int]:
        _, shown = self._app.session(request).shown[_SHOWN]
        return shown.pixel(*event.index)

    def _explain(
        self,
        x: int,
        y: int,
        weights: str,
        neighbors: int,
        window: int,
        embedding: str,
        request: gr.Request,
    ) -> Update:
        """Shows the neighbors of the patch nearest to a pixel."""
        session = self._app.session(request)
        if _SHOWN not in session.shown:
            return {self.said: sentence("Add a picture first.")}
        variant = Variant(neighbors, window, None if embedding == _OWN else embedding)
        try:
            with session.work():
                return self._neighbors(session, (x, y), weights, variant)
        except InputError as error:
            return {self.said: failed(self._app.say(error))}
        except StoppedError:  # the page is closed
            return {self.said: gr.skip()}

    def _neighbors(
        self, session: Session, at: tuple[int, int], weights: str, variant: Variant
    ) -> Update:
        path, shown = session.shown[_SHOWN]
        model, explanation = explain_patch(
            path, at, weights, variant=variant, vgg19=self._app.vgg19
        )
        title = title_of(model, explanation, path, at)
        folder = session.folder / _SHOWN
        figure = new_png(folder)
        write_titled(figure, draw_scene(explanation, title))
        words = ""
        if model.graph.edge_weights == "gaussian":
            words = sentence("The weights are those of Table 4, without ECN.")
        return {
            self.said: table(neighbor_table(explanation)) + words,
            self.image: saved(shown.with_neighbors(explanation), folder),
            self.figure: gr.update(visible=True, value=str(figure)),
        }
