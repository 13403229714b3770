"""The tab that upscales pictures."""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import gradio as gr
from gradio.blocks import Block

from ignn_jax.app.page import App, failed, sentence
from ignn_jax.app.sessions import Session, StoppedError
from ignn_jax.app.upscaling import Batch, pack
from ignn_jax.app.views import beside_bicubic
from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Options
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.formats import FORMATS

_OWN_SIZE, _FACTOR, _WIDTH, _BOX = "the network's", "a factor", "a width", "a box"
_OWN_FORMAT = "unchanged"
_FORMATS = [name for name in ("png", "jpg", "webp", "tif") if f".{name}" in FORMATS]
_FORMATS += [name for name in ("bmp", "avif", "heic") if f".{name}" in FORMATS]
_JOBS, _BESIDE = "jobs", "beside"  # in `Session.shown`

Update = dict[Any, Any]


class UpscaleTab:
    """The components of the tab and what they do."""

    def __init__(self, app: App):
        """Adds the tab's contents to the page that is being built."""
        self._app = app
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._add_settings()
            with gr.Column(scale=3, min_width=300):
                self._add_results()
        self._connect()

    def _add_settings(self) -> None:
        self.files = gr.File(
            label="Pictures", file_count="multiple", height=150, elem_id="pictures"
        )
        weights = self._app.weights
        self.weights = gr.Dropdown(weights, value=weights[0], label="Network")
        self.size = gr.Radio(
            [_OWN_SIZE, _FACTOR, _WIDTH, _BOX], value=_OWN_SIZE, label="Size"
        )
        with gr.Row(visible=False) as self.numbers:  # or it would take space
            self.factor = gr.Number(2.5, label="Factor")
            self.width = gr.Number(3840, label="Width", precision=0)
            self.height = gr.Number(2160, label="Height", precision=0)
        with gr.Row():
            self.format = gr.Dropdown(
                [_OWN_FORMAT, *_FORMATS], value=_OWN_FORMAT, label="Format"
            )
            self.quality = gr.Textbox(label="Quality, 1 to 100", placeholder="95")
        self.ensemble = gr.Checkbox(label="IGNN+: slightly better, 8 times slower")
        self.strip = gr.Checkbox(label="Drop EXIF, color profile and resolution")
        with gr.Row():
            self.start = gr.Button("Upscale", variant="primary")
            self.stop = gr.Button("Stop")

    def _add_results(self) -> None:
        self.status = gr.HTML(
            sentence("Add pictures and press Upscale."), elem_id="status"
        )
        self.slider = gr.ImageSlider(
            label="Left: bicubic, right: network",
            interactive=False,
            visible=False,
            max_height=720,
            buttons=["fullscreen"],
            elem_classes="pixels",
        )
        self.overview = gr.Image(
            label="Click to look at another part",
            interactive=False,
            visible=False,
            height=240,
            buttons=[],
        )
        self.picture = gr.Dropdown(label="Picture to look at", visible=False)
        self.results = gr.File(
            label="Results", file_count="multiple", interactive=False, visible=False
        )
        self.archive = gr.DownloadButton("Download all as a zip", visible=False)

    def _connect(self) -> None:
        self.size.change(
            self._show_numbers,
            self.size,
            [self.numbers, self.factor, self.width, self.height],
            queue=False,
            show_progress="hidden",
        )
        settings: set[Block] = {
            self.files,
            self.weights,
            self.size,
            self.factor,
            self.width,
        }
        settings |= {self.height, self.format, self.quality, self.ensemble, self.strip}
        views = [self.status, self.slider, self.overview]
        self.start.click(
            self._run,
            settings,
            [*views, self.picture, self.results, self.archive],
            show_progress="hidden",
            concurrency_limit=None,
        ).success(self._look, self.picture, views, concurrency_limit=None)
        self.stop.click(self._stop, queue=False)
        self.picture.input(self._look, self.picture, views, concurrency_limit=None)
        self.overview.select(self._look_there, None, views, concurrency_limit=None)

    @staticmethod
    def _show_numbers(size: str) -> list[Any]:
        is_given = size != _OWN_SIZE
        shown = (is_given, size == _FACTOR, size in (_WIDTH, _BOX), size == _BOX)
        return [gr.update(visible=is_shown) for is_shown in shown]

    def _stop(self, request: gr.Request) -> None:
        self._app.session(request).stop()

    def _run(self, values: Update, request: gr.Request) -> Iterator[Update]:
        """Runs a batch, and tells how far it is until it ends."""
        files = values[self.files]
        if not files:
            yield {self.status: sentence("Add a picture first.")}
            return
        session = self._app.session(request, files)
        session.shown.clear()
        own_format = values[self.format] == _OWN_FORMAT
        try:
            batch = Batch(
                self._app.sessions,
                session,
                files,
                weights=values[self.weights],
                ensemble=values[self.ensemble],
                machine=self._app.machine,
                suffix=None if own_format else f".{values[self.format]}",
                options=self._options(values),
            )
        except InputError as error:
            yield {self.status: failed(self._app.say(error))}
            return
        yield self._hidden()
        worker = ThreadPoolExecutor(1)
        work = worker.submit(batch.run)
        worker.shutdown(wait=False)
        try:
            while wait([work], timeout=0.25).not_done:
                yield {self.status: self._progress(batch)}
        finally:  # also if the browser is gone
            session.stop()
        work.result()  # raises what is a mistake of ours
        yield self._finished(session, batch)

    def _options(self, values: Update) -> Options:
        kind, width = values[self.size], values[self.width]
        end_size = EndSize.given(
            outscale=values[self.factor] if kind == _FACTOR else None,
            width=width if kind == _WIDTH else None,
            size=(width, values[self.height]) if kind == _BOX else None,
        )
        return Options(
            end_size=end_size,
            quality=_quality(values[self.quality]),
            strip=values[self.strip],
            max_pixels=self._app.max_pixels,
        )

    def _hidden(self) -> Update:
        parts = (self.slider, self.overview, self.picture, self.results, self.archive)
        return dict.fromkeys(parts, gr.update(visible=False))

    def _progress(self, batch: Batch) -> str:
        """How far a batch is, as HTML."""
        bar = f'<progress value="{batch.share:.3f}" aria-label="The present picture">'
        return f"{sentence(batch.words)}{bar}</progress>{self._outcomes(batch)}"

    def _outcomes(self, batch: Batch) -> str:
        """What became of each picture so far, as HTML."""
        lines = []
        for job, notes, error, _ in batch.outcomes:
            if error:
                lines.append(failed(self._app.say(error), tag="li"))
            else:
                words = "; ".join([f"{job.source.name}: done", *notes])
                lines.append(sentence(words, tag="li"))
        return f'<ul class="outcomes">{"".join(lines)}</ul>' if lines else ""

    def _finished(self, session: Session, batch: Batch) -> Update:
        """What to show at the end, but for the views of the first picture."""
        end = ""
        if isinstance(batch.end, StoppedError):
            end = sentence("Stopped.")
        elif batch.end:
            end = failed(self._app.say(batch.end))
        update: Update = {self.status: end + self._outcomes(batch)}
        jobs = {
            job.target.name: job for job, _, error, _ in batch.outcomes if not error
        }
        if not jobs:
            return update
        session.shown[_JOBS] = jobs
        targets = [job.target for job in jobs.values()]
        shown = functools.partial(gr.update, visible=True)
        update[self.results] = shown(value=[str(path) for path in targets])
        update[self.picture] = gr.update(
            visible=len(jobs) > 1, choices=list(jobs), value=next(iter(jobs))
        )
        if len(jobs) > 1:
            path = session.new_folder("zip") / "upscaled.zip"
            pack(targets, path)
            update[self.archive] = shown(value=str(path))
        return update

    def _look(self, name: str | None, request: gr.Request) -> Update:
        """Shows the place of a result where it differs most from bicubic's."""
        session = self._app.session(request)
        job = session.shown.get(_JOBS, {}).get(name)
        if job is None:
            return {self.slider: gr.skip()}
        try:
            with session.work():
                session.shown[_BESIDE] = beside = beside_bicubic(
                    job.source,
                    job.target,
                    session.new_folder("beside"),
                    max_pixels=self._app.max_pixels,
                )
                return self._show_part(session, beside.most_different())
        except InputError as error:
            return {self.status: failed(self._app.say(error))}
        except StoppedError:  # the page is closed
            return {self.slider: gr.skip()}

    def _look_there(self, event: gr.SelectData, request: gr.Request) -> Update:
        """Shows the part of the picture around a click into the overview."""
        session = self._app.session(request)
        beside = session.shown.get(_BESIDE)
        if beside is None:
            return {self.slider: gr.skip()}
        with session.work():
            return self._show_part(session, beside.place_in(event.index))

    def _show_part(self, session: Session, place: tuple[int, int]) -> Update:
        beside = session.shown[_BESIDE]
        part = beside.part_around(place)
        before, after, overview = beside.save_part(part, session.new_folder("parts"))
        return {
            self.slider: gr.update(value=(before, after), visible=True),
            self.overview: gr.update(value=overview, visible=not beside.is_whole),
        }


def _quality(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or not 1 <= int(text) <= 100:
        raise InputError(f"{text} is not a number from 1 to 100", field="quality")
    return int(text)
