"""The page in a real browser, served by a real process.

No request may leave the machine: the browser's context refuses all others.
"""

import importlib.util
import io
import os
import time
import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ignn_jax.cli import main
from ignn_jax.weights.network import save
from tests.browser import chromium
from tests.networks import (
    finish,
    random_variables,
    save_pictures,
    start,
    tiny_ignn,
)

if importlib.util.find_spec("gradio") is None:
    pytest.skip("no Gradio: the page is not opened", allow_module_level=True)

SECONDS = 1000  # in milliseconds, of Playwright


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    model = tiny_ignn(embedding="backbone")
    save(path, model, random_variables(model))
    return path


class Server:
    """`ignn-jax app` in a process of its own."""

    def __init__(self, weights, folder, *options):
        self.folder = folder
        self.process = start(
            *("-m", "ignn_jax", "app", "--no-browser", "--weights", weights),
            *("--tile", 32, *options),
            TMPDIR=str(folder),
        )
        self.url = self.process.stdout.readline().split()[0]

    def files(self):
        """All files of the pages, by their names."""
        (root,) = self.folder.glob("ignn-jax-app-*")
        # Not rglob: folders may go while it looks.
        return {name for _, _, names in os.walk(root) for name in names if "." in name}

    def end(self):
        """As Ctrl-C does. Nothing may be left."""
        self.process.terminate()
        done = finish(self.process)
        assert (done.returncode, done.stderr) == (0, "")
        assert [path.name for path in self.folder.iterdir()] == []


@pytest.fixture(scope="module")
def server(browser, weights, tmp_path_factory):
    server = Server(weights, tmp_path_factory.mktemp("temporary"))
    yield server
    server.end()


@pytest.fixture
def open_page(browser, server):
    """Opens the page, and checks at the end that there was no error or other host."""
    contexts, complaints = [], []

    def refuse(route):
        if route.request.url.startswith((server.url, "data:", "blob:")):
            return route.continue_()
        complaints.append(route.request.url)
        return route.abort()

    def open_page(width=1200, height=900, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, **options
        )
        context.route("**/*", refuse)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120 * SECONDS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        page.get_by_role("button", name="Upscale", exact=True).wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def add(page, *paths, to="pictures"):
    place = page.locator(f"#{to}")
    place.locator("input[type=file]").set_input_files([str(path) for path in paths])
    place.locator(f"a[download='{paths[-1].name}']").wait_for()


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def status(page, words):
    """Waits until the status has these words."""
    page.locator("#status", has_text=words).wait_for()
    return page.locator("#status").inner_text()


def downloads(page, *names):
    """What the links of these names give."""
    for name in names:
        with page.expect_download() as download:
            page.locator(f"a[download='{name}']").click()
        yield download.value.path().read_bytes()


@pytest.fixture
def pictures(tmp_path):
    """16 bits with a text, transparency, and a photograph's EXIF; and a broken file."""
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65536, (40, 50)).astype(np.uint16)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "kept")
    Image.fromarray(deep).save(tmp_path / "deep.png", pnginfo=text)
    alpha = rng.integers(0, 256, (30, 40, 4)).astype(np.uint8)
    Image.fromarray(alpha).save(tmp_path / "alpha.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    photo = Image.fromarray(rng.integers(0, 256, (60, 44, 3)).astype(np.uint8))
    photo.save(tmp_path / "photo.jpg", exif=exif, dpi=(300, 300))
    (tmp_path / "broken.png").write_bytes((tmp_path / "deep.png").read_bytes()[:900])
    return [tmp_path / f for f in ("photo.jpg", "broken.png", "deep.png", "alpha.webp")]


def test_results_are_those_of_the_command_line(
    open_page, pictures, weights, optimized, tmp_path
):
    page = open_page()
    add(page, *pictures)
    press(page, "Upscale")
    words = status(page, "alpha.webp: done")
    assert "broken.png: cannot be decoded" in words
    assert str(tmp_path) not in words

    options = ("--weights", str(weights), "--tile", "32", "-o", f"{tmp_path}/out/")
    assert main(["upscale", *map(str, pictures), *options]) == 1
    names = ["photo_x2.jpg", "deep_x2.png", "alpha_x2.webp"]
    expected = [
        (tmp_path / "out" / name.replace("_x2", "")).read_bytes() for name in names
    ]
    assert list(downloads(page, *names)) == expected
    with page.expect_download() as download:
        page.get_by_text("Download all as a zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert [archive.read(name) for name in archive.namelist()] == expected


def test_programs_are_kept_where_the_command_line_keeps_them(monkeypatch, tmp_path):
    apps = []
    monkeypatch.setattr("ignn_jax.cli.compile_cache.enable", lambda: tmp_path)
    monkeypatch.setattr(
        "ignn_jax.app.server.serve", lambda app, **options: apps.append(app)
    )
    assert main(["app", "--no-browser"]) == 0
    assert apps[0].machine.programs == tmp_path


def test_the_slider_shows_bicubic_and_the_network(open_page, server, pictures):
    page = open_page()
    add(page, pictures[0])
    page.get_by_label("a factor").check()
    page.get_by_label("Factor", exact=True).fill("1.5")
    page.get_by_label("Quality, 1 to 100").fill("80")
    press(page, "Upscale")
    slider = page.locator(".pixels")
    slider.locator("img").last.wait_for()
    assert page.locator("a[download='photo_x1.5.jpg']").count() == 1
    slider.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    before = shot(slider)
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.1 * box["width"], middle, steps=4)
    page.mouse.up()
    after = shot(slider)
    quarter = before.shape[1] // 4
    part = np.s_[80:-40, quarter : 2 * quarter - 30]  # between both places
    changed = (before[part] != after[part]).any(axis=-1).mean()
    assert changed > 0.5
    # By keyboard: the handle's share of the width, in percent.
    page.get_by_role("button", name="Fullscreen").first.focus()
    page.keyboard.press("Tab")
    places = []
    for key in ("End", "ArrowLeft", "Home", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        handle = page.get_by_role("slider", name="Border between the two pictures")
        places.append(int(handle.get_attribute("aria-valuenow")))
    assert places[0] == 100 > places[1] > 90
    assert places[2:4] == [0, 0]
    assert 0 < places[4] < 10
    # Each page has its own files, and leaves none.
    assert "photo_x1.5.jpg" in server.files()
    page.context.close()
    wait_until(lambda: not server.files())


def shot(locator):
    with Image.open(io.BytesIO(locator.screenshot())) as image:
        return np.asarray(image.convert("RGB"))


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def large(path, side=700):
    """A picture that takes hundreds of tiles."""
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)
    )
    image.resize((side, side)).save(path)
    return path


def test_stop_a_second_user_and_a_closed_page(open_page, server, pictures, tmp_path):
    first, second = open_page(), open_page()
    add(first, large(tmp_path / "large.png"))
    press(first, "Upscale")
    status(first, "large.png: tile")
    press(first, "Stop")
    words = status(first, "Stopped.")
    assert "done" not in words
    press(first, "Upscale")
    status(first, "large.png: tile")
    add(second, pictures[0])
    press(second, "Upscale")
    status(second, "photo.jpg: another page is at work")
    first.context.close()  # in mid-run
    status(second, "photo.jpg: done")
    wait_until(lambda: "large.png" not in server.files())


def test_a_click_shows_the_neighbors(open_page, tmp_path):
    path = save_pictures(tmp_path / "a", count=1, side=96) / "0.png"
    page = open_page()
    page.get_by_role("tab", name="Look into the graph").click()
    add(page, path, to="picture")
    image = page.locator("#clicked img")
    image.wait_for()
    first = image.get_attribute("src")
    box = image.bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    rows = page.locator("#said tr")
    rows.nth(2).wait_for()
    assert rows.count() == 1 + 2  # the network's k
    assert page.get_by_label("x", exact=True).input_value() in ("23", "24")
    assert page.get_by_label("y", exact=True).input_value() in ("71", "72")
    assert image.get_attribute("src") != first
    page.locator("#figure img").wait_for()
    page.get_by_label("number input for Neighbors k").fill("3")
    page.get_by_label("rgb", exact=True).check()
    page.get_by_text("without ECN").wait_for()
    assert rows.count() == 1 + 3


def test_pictures_are_compared(open_page, tmp_path):
    first = save_pictures(tmp_path / "a", count=2, side=32)
    second = save_pictures(tmp_path / "b", count=3, side=32)
    (second / "2.png").rename(second / "1.png")
    page = open_page()
    page.get_by_role("tab", name="Compare").click()
    for name, folder in (("first", first), ("second", second)):
        add(page, *sorted(folder.iterdir()), to=name)
    press(page, "Compare")
    page.locator("#difference img").wait_for()
    page.locator("#both img").last.wait_for()
    rows = [row.inner_text().split("\t") for row in page.locator("#scores tr").all()]
    assert rows[1] == ["0.png", "the same", "1.0000"]
    assert rows[2][1] == f"{expected(first / '1.png', second / '1.png'):.2f} dB"


def expected(a, b):
    """PSNR on Y."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    with Image.open(a) as x, Image.open(b) as y:
        error = np.mean(((np.asarray(x, float) - np.asarray(y, float)) @ weights) ** 2)
    return 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("width", [320, 390, 800])
def test_the_page_fits_its_window(open_page, width):
    page = open_page(width)
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.slow
def test_strangers_are_not_let_in(browser, weights, tmp_path):
    server = Server(weights, tmp_path, "--host", "0.0.0.0", "--auth", "me:secret")
    try:
        port = server.url.rstrip("/").rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/"
        for path in ("config", "gradio_api/file=/etc/hostname"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url + path)
            assert refused.value.code in (401, 403)
        page = browser.new_page()
        page.set_default_timeout(120 * SECONDS)
        page.goto(url)
        for label, words in (("username", "me"), ("password", "wrong")):
            page.get_by_label(label).fill(words)
        press(page, "Login")
        page.get_by_text("Incorrect").first.wait_for()
        page.get_by_label("username").fill("me")  # it is empty again
        page.get_by_label("password").fill("secret")
        press(page, "Login")
        page.get_by_role("button", name="Upscale", exact=True).wait_for()
        page.close()
    finally:
        server.end()


def test_light_and_dark(open_page):
    def background(scheme):
        page = open_page(color_scheme=scheme)
        return shot(page).mean(axis=(0, 1)).mean()

    assert background("light") > 200
    assert background("dark") < 60


def test_all_is_reached_by_keyboard(open_page):
    page = open_page()
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate(
                "(document.activeElement.innerText || document.activeElement.type)"
            ).strip()
        )
    assert {"Upscale", "Stop", "radio", "checkbox"} <= seen
