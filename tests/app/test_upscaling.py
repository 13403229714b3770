"""Batches of the page, with a network that only repeats pixels."""

import gc
import weakref
import zipfile

import numpy as np
import pytest
from PIL import Image

from ignn_jax.app import upscaling
from ignn_jax.app.sessions import Sessions, StoppedError
from ignn_jax.app.upscaling import Batch, duration, pack
from ignn_jax.errors import InputError
from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.pictures.batch import Options
from ignn_jax.pictures.upscale import Network
from tests.networks import save_pictures


def repeat(image, *, progress):
    for _ in progress(range(4)):
        pass
    return np.repeat(np.repeat(image, 2, 0), 2, 1)


@pytest.fixture(autouse=True)
def load(monkeypatch):
    """Loads the network that repeats pixels, whatever the weights are."""

    def load(weights, *, ensemble, **options):
        return Network(self_ensemble(repeat) if ensemble else repeat, 2)

    monkeypatch.setattr(upscaling, "load_network", load)
    upscaling.loaded.cache_clear()
    yield
    upscaling.loaded.cache_clear()


def watch(batch):
    """The list of what it tells, which grows while it runs."""
    seen, check = [], batch.check

    def look():
        seen.append((batch.share, batch.words))
        check()

    batch.check = look
    return seen


def batch_of(tmp_path, files, **options):
    sessions = Sessions(tmp_path)
    return Batch(sessions, sessions.of("page"), files, weights="w", **options)


def test_results_are_named_as_on_the_command_line(tmp_path):
    a, b = (save_pictures(tmp_path / name, count=2, side=16) for name in "ab")
    broken = a / "1.png"
    broken.write_bytes(b"no picture")
    batch = batch_of(tmp_path, [a / "0.png", b / "0.png", broken, b / "1.png"])
    batch.run()
    assert batch.end is None
    names = [outcome.job.target.name for outcome in batch.outcomes]
    assert names == ["0_x2.png", "0_x2_2.png", "1_x2.png", "1_x2_2.png"]
    errors = [outcome.error for outcome in batch.outcomes]
    assert [bool(error) for error in errors] == [False, False, True, False]
    assert "1.png: cut short, or not an image" in str(errors[2])
    for outcome in batch.outcomes[:2]:
        with Image.open(outcome.job.target) as image:
            assert image.size == (32, 32)
    targets = [batch.outcomes[n].job.target for n in (0, 3)]
    pack(targets, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == ["0_x2.png", "1_x2_2.png"]
        assert archive.read("0_x2.png") == targets[0].read_bytes()


def test_it_tells_how_far_it_is(tmp_path, monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr(upscaling.time, "monotonic", lambda: next(seconds))
    folder = save_pictures(tmp_path / "a", count=2, side=16)
    batch = batch_of(tmp_path, sorted(folder.iterdir()), ensemble=True)
    seen = watch(batch)
    batch.run()
    shares = [share for share, _ in seen[: len(seen) // 2]]
    assert shares == sorted(shares)
    assert shares[-1] == 1 - 1 / 32
    words = [words for _, words in seen]
    assert words[0] == "0.png (1 of 2): tile 1 of 4, turn 1 of 8"
    # After a second a tile, 31 of 32 are left.
    assert words[1] == "0.png (1 of 2): tile 2 of 4, turn 1 of 8, 31 seconds left"
    assert words[-1].startswith("1.png (2 of 2): tile 4 of 4, turn 8 of 8")


def test_transparency_and_colors_are_told_one_after_the_other(tmp_path):
    path = tmp_path / "a.png"
    samples = np.random.default_rng(0).integers(0, 256, (16, 16, 4))
    Image.fromarray(samples.astype(np.uint8)).save(path)
    batch = batch_of(tmp_path, [path])
    seen = watch(batch)
    batch.run()
    assert [share for share, _ in seen] == 2 * [0, 0.25, 0.5, 0.75, 0.75]
    assert batch.outcomes[0].error is None


def test_stop_keeps_what_is_done(tmp_path, monkeypatch):
    folder = save_pictures(tmp_path / "a", count=3, side=16)
    sessions = Sessions(tmp_path)
    session = sessions.of("page")
    batch = Batch(sessions, session, sorted(folder.iterdir()), weights="w")
    check = batch.check

    def stop_in_the_second():
        if batch.words.startswith("1.png (2 of 3): tile 2"):
            session.stop()
        check()

    batch.check = stop_in_the_second
    batch.run()
    assert isinstance(batch.end, StoppedError)
    assert batch.end.__traceback__ is None  # it would keep the images
    assert [outcome.job.source.name for outcome in batch.outcomes] == ["0.png"]
    assert [path.name for path in (session.folder / "results").iterdir()] == [
        "0_x2.png"
    ]
    batch = Batch(sessions, session, sorted(folder.iterdir()), weights="w")
    batch.run()
    assert len(batch.outcomes) == 3


def test_memory_comes_back_when_it_is_stopped(tmp_path, monkeypatch):
    folder = save_pictures(tmp_path / "a", count=1, side=16)
    sessions = Sessions(tmp_path)
    session = sessions.of("page")
    images = []

    def stop(image, *, progress):
        padded = np.array(image)
        images.append(weakref.ref(padded))
        session.stop()
        return repeat(padded, progress=progress)

    network = Network(stop, 2)
    monkeypatch.setattr(upscaling, "load_network", lambda *_, **options: network)
    batch = Batch(sessions, session, [folder / "0.png"], weights="w")
    gc.disable()
    try:
        batch.run()
        assert isinstance(batch.end, StoppedError)
        assert [image() for image in images] == [None]
    finally:
        gc.enable()


def test_a_picture_over_the_limit_is_named(tmp_path):
    folder = save_pictures(tmp_path / "a", count=1, side=16)
    options = Options(max_pixels=255)
    batch = batch_of(tmp_path, [folder / "0.png"], options=options)
    batch.run()
    assert "has more than 255 pixels" in str(batch.outcomes[0].error)


def test_weights_that_cannot_be_loaded_end_it(tmp_path, monkeypatch):
    def fail(weights, **options):
        raise InputError("w: no such weights file")

    monkeypatch.setattr(upscaling, "load_network", fail)
    batch = batch_of(tmp_path, [])
    batch.run()
    assert str(batch.end) == "w: no such weights file"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (40, "40 seconds"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (3600, "60 minutes"),
        (9000, "2 hours"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words
