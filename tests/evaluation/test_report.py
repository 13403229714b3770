"""The HTML report: as text, and in a real browser."""

import base64
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data.pairs import Pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation import report
from ignn_jax.evaluation.figures import make_figure
from ignn_jax.evaluation.report import write_report
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import Evaluated, Score
from tests.browser import chromium

RED, GREEN, BLUE = (220, 40, 40), (40, 160, 60), (40, 60, 200)


def flat(color, height=96, width=128):
    return np.full((height, width, 3), color, np.uint8)


def evaluated(name, bicubic, hr, sr=None, scores=(), label="Net"):
    """A pair as evaluated, with these images and scores."""
    images = {"bicubic": bicubic} | ({} if sr is None else {label: sr})
    scores = dict(zip(images, [*scores, *[Score(20, 0.5)] * 2], strict=False))
    return Evaluated(Pair(name, hr[::2, ::2], hr, "given"), images, scores)


def image(name, gain=1.0, *, network=True, label="Net"):
    """Bicubic is red, the network's image green, the original blue."""
    sr = flat(GREEN) if network else None
    scores = Score(30.0, 0.9), Score(30.0 + gain, 0.95)
    one = evaluated(name, flat(RED), flat(BLUE), sr, scores, label)
    return ImageResult.of(one, figure=True)


def write(path, sets, **options):
    options = {"title": "Report", "scale": 2, "protocol": []} | options
    write_report(path, sets, **options)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    one = SetResult("One", [image("small", 0.5), image("big", 2.0)])
    two = SetResult("Two", [image("big", -1.0)], ["bad.png: truncated"])
    write(path, [one, two])
    return path


# As text


class Outline(HTMLParser):
    """Collects tags and the text in each, and checks that they nest."""

    VOID = frozenset(("meta", "link", "img", "input", "br"))

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1], data))

    def text(self, tag):
        return [text for name, text in self.texts if name == tag]


def test_images_are_sorted_by_gain_within_their_set(path):
    outline = Outline(path.read_text(encoding="utf-8"))
    assert outline.text("h2") == ["One", "Two"]
    assert outline.text("h3") == ["big", "small", "big"]
    assert "bad.png: truncated" in outline.text("li")
    assert any("0.50 dB above bicubic" in text for text in outline.text("p"))


def test_nothing_is_loaded_from_anywhere(path):
    text = path.read_text(encoding="utf-8")
    for _, attributes in Outline(text).tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://", text)


def test_labels_are_complete(path):
    tags = Outline(path.read_text(encoding="utf-8")).tags
    assert all(attributes["alt"] for tag, attributes in tags if tag == "img")
    ranges = [a for t, a in tags if t == "input" and a["type"] == "range"]
    assert len(ranges) == 3
    assert all("on its left" in attributes["aria-label"] for attributes in ranges)


def noise(height=60, width=160):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def place(crop, width, height):
    """(left, top, width, height) in pixels."""
    sides = (width, height, width, height)
    return [round(n * side / 100) for n, side in zip(crop.box, sides, strict=True)]


def test_crops_are_lossless_and_where_the_images_differ():
    hr = noise()
    bicubic, sr = hr // 2, hr // 2
    sr[:, :60] = hr[:, :60]  # perfect on the left
    bicubic[:, 90:] = hr[:, 90:]  # and worse than bicubic on the right
    gain, loss = make_figure(evaluated("a", bicubic, hr, sr)).crops
    assert gain.caption == "Largest gain over bicubic"
    assert loss.caption == "Largest loss against bicubic"
    left, top, *size = place(gain, 160, 60)
    assert size == [48, 48]
    assert left + 48 <= 60
    assert place(loss, 160, 60)[0] >= 90
    data = base64.b64decode(gain.images["hr"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as image:
        decoded = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decoded, hr[top : top + 48, left : left + 48])


def test_a_network_that_loses_nowhere_has_no_loss_to_show():
    hr = noise()
    sr = hr // 2
    sr[:, :60] = hr[:, :60]
    [gain] = make_figure(evaluated("a", hr // 2, hr, sr)).crops
    assert gain.caption == "Largest gain over bicubic"


def test_names_and_sentences_are_escaped(tmp_path):
    name = "<script>'\"&"
    sets = [SetResult(name, [image(name, label=name)], [name])]
    options = {"title": name, "protocol": [name]}
    text = write(tmp_path / "r.html", sets, **options, details={name: name})
    outline = Outline(text)
    assert [tag for tag, _ in outline.tags].count("script") == 1
    assert outline.text("h3") == [name]
    labels = [a["aria-label"] for t, a in outline.tags if a.get("type") == "range"]
    assert labels[0].startswith(f"Divider, {name}:")


def test_published_scores_stand_beside_a_set_of_theirs(tmp_path):
    images = [image(str(n), 8.0) for n in range(5)]
    text = write(tmp_path / "r.html", [SetResult("Set5", images)])
    cells = Outline(text).text("td")
    assert "38.24 / 0.9613" in cells
    assert "\u22120.24 / \u22120.0113" in cells  # 38.00 / 0.95 less IGNN's
    text = write(tmp_path / "r.html", [SetResult("Set5", images[:4])])
    assert "38.24 / 0.9613" not in text


def test_bicubic_alone_and_perfect_images(tmp_path):
    sets = [SetResult("One", [image("a", network=False)])]
    text = write(tmp_path / "r.html", sets)
    assert "Farthest from the original" in text
    assert "Gain" not in Outline(text).text("th")
    perfect = image("a", math.inf)
    scores = dict.fromkeys(perfect.scores, Score(math.inf, 1))
    same = perfect._replace(name="b", scores=scores)
    assert same.gain == 0
    text = write(tmp_path / "r.html", [SetResult("One", [perfect, same])])
    assert "nan" not in text.partition("<main>")[2].lower().replace("data:", "")[:2000]
    assert "\u221e / 0.9" in text


def test_large_sets_show_crops_only_where_the_gain_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_MAX_SLIDERS", 2)
    images = [image(str(n), n) for n in range(5)]
    text = write(tmp_path / "r.html", [SetResult("One", images)])
    sliders = re.findall(r'aria-label="Divider, (\d)', text)
    assert sliders == ["4", "3"]
    assert "3 of smaller gain are shown by crops alone" in text
    assert text.count("<article>") == 5


def test_no_images_and_no_folder(tmp_path):
    sets = [SetResult("One", [], ["a.png: gone"])]
    assert "No image was evaluated" in write(tmp_path / "r.html", sets)
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "none" / "r.html", sets)


# In the browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser, path):
    """Opens the report, and checks at the end that no error or request occurred."""
    pages, complaints = [], []

    def open_page(width=1000, height=800, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, **options
        )
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    asked = [text for text in complaints if not text.startswith("data:")]
    assert asked == [path.as_uri()] * len(pages)


def stage_of(page, n=0):
    stage = page.locator(".stage").nth(n)
    stage.scroll_into_view_if_needed()
    stage.locator("img").first.evaluate("image => image.decode()")
    return stage


def color_at(stage, x, y=0.8):
    """The color of the screenshot at a place in the stage, by name."""
    with Image.open(io.BytesIO(stage.screenshot())) as image:
        pixel = image.convert("RGB").getpixel(
            (int(x * image.width), int(y * image.height))
        )
    names = {"red": RED, "green": GREEN, "blue": BLUE}
    return min(names, key=lambda name: np.abs(np.subtract(names[name], pixel)).sum())


def colors(stage):
    """The colors seen from left to right, at 10%, 30%, ... 90% of the width."""
    return [color_at(stage, x / 10) for x in (1, 3, 5.2, 7, 9)]


def test_the_slider_follows_the_mouse(open_page):
    page = open_page()
    stage = stage_of(page)
    assert colors(stage) == ["red", "red", "green", "green", "green"]
    box = stage.bounding_box()
    y = box["y"] + 0.3 * box["height"]
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], y, steps=4)
    assert colors(stage) == ["red", "green", "green", "green", "green"]
    page.mouse.move(box["x"] + 0.8 * box["width"], y, steps=4)
    page.mouse.up()
    assert colors(stage) == ["red", "red", "red", "red", "green"]
    # The divider is under the pointer; those of other images have not moved.
    at = page.locator(".divider").first.bounding_box()
    assert at["x"] + 1 == pytest.approx(box["x"] + 0.8 * box["width"], abs=1.5)
    assert colors(stage_of(page, 1)) == ["red", "red", "green", "green", "green"]


def test_the_slider_follows_the_keyboard(open_page):
    page = open_page()
    stage = stage_of(page)
    slider = page.get_by_role("slider").first
    slider.focus()
    for key, count, value in (
        ("ArrowRight", 5, 60),
        ("ArrowDown", 1, 58),
        ("Shift+ArrowRight", 1, 68),
        ("Home", 1, 0),
        ("ArrowLeft", 1, 0),
        ("End", 1, 100),
    ):
        for _ in range(count):
            page.keyboard.press(key)
        assert float(slider.input_value()) == value
    assert colors(stage) == ["red"] * 5
    assert slider.get_attribute("aria-valuetext") == "100 percent Bicubic"


def test_the_slider_follows_a_finger(open_page):
    page = open_page(390, 844, has_touch=True, is_mobile=True)
    stage = stage_of(page)
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    page.wait_for_function(
        "document.querySelector('.stage input').value < 25", timeout=2000
    )
    assert colors(stage)[1:3] == ["green", "green"]


def test_the_pair_can_be_chosen_by_mouse_and_keyboard(open_page):
    page = open_page()
    stage = stage_of(page)
    page.get_by_role("radio", name="Net | Original").first.click()
    assert colors(stage) == ["green", "green", "blue", "blue", "blue"]
    page.keyboard.press("ArrowRight")  # on to the next radio button
    assert colors(stage) == ["red", "red", "blue", "blue", "blue"]
    label = "Divider, big: Bicubic on its left, Original on its right"
    assert page.get_by_role("slider", name=label, exact=True).count() == 1
    assert stage.locator(".tag.right").inner_text() == "Original"
    # An image of the same name in another set has buttons of its own.
    assert colors(stage_of(page, 2)) == ["red", "red", "green", "green", "green"]


def test_several_networks_are_compared_with_each_other(browser, tmp_path):
    images = {"bicubic": flat(RED), "A": flat(GREEN), "B": flat(BLUE)}
    scores = dict(
        zip(images, [Score(30, 0.9), Score(31, 0.9), Score(32, 0.9)], strict=True)
    )
    pair = Pair("a", flat(RED)[::2, ::2], flat(BLUE), "given")
    one = ImageResult.of(Evaluated(pair, images, scores), figure=True)
    captions = [crop.caption for crop in one.figure.crops]
    assert captions == ["Largest gain over bicubic", "Largest gain of B over A"]
    text = write(tmp_path / "r.html", [SetResult("One", [one])])
    assert "A is 1.00 dB above bicubic" in text
    assert "B is 2.00 dB above bicubic" in text
    page = browser.new_page()
    page.goto((tmp_path / "r.html").as_uri())
    stage = stage_of(page)
    assert colors(stage) == ["red", "red", "green", "green", "green"]
    page.get_by_role("radio", name="A | B", exact=True).click()
    assert colors(stage) == ["green", "green", "blue", "blue", "blue"]
    page.get_by_role("radio", name="Bicubic | B", exact=True).click()
    assert colors(stage) == ["red", "red", "blue", "blue", "blue"]
    page.close()


def test_light_and_dark(open_page):
    def background(scheme):
        page = open_page(color_scheme=scheme)
        with Image.open(io.BytesIO(page.screenshot())) as image:
            return image.convert("L").getpixel((5, 5))

    assert background("light") > 230
    assert background("dark") < 40


@pytest.mark.parametrize("width", [320, 390, 700, 1400])
def test_the_page_fits_its_window(open_page, width):
    page = open_page(width)
    for details in page.locator("details").all():
        details.evaluate("details => details.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for stage in page.locator(".stage").all():
        box = stage.bounding_box()
        assert box["width"] / box["height"] == pytest.approx(4 / 3, rel=0.01)


def test_all_controls_are_reached_by_tab_and_show_it(open_page):
    page = open_page()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "[document.activeElement.localName, document.activeElement.type]"
            )
        )
    assert ["summary", None] in seen
    assert ["input", "radio"] in seen
    assert ["input", "range"] in seen
    stage = stage_of(page)
    page.get_by_role("slider").first.focus()
    focused = stage.screenshot()
    page.keyboard.press("Tab")
    assert stage.screenshot() != focused
