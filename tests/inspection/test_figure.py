"""What `explain` finds, against a known place and a loop; and the command."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import ExifTags, Image

from ignn_jax.cli import main
from ignn_jax.inspection.boxes import Box
from ignn_jax.inspection.figure import draw
from ignn_jax.inspection.neighbors import Explanation, explain
from ignn_jax.inspection.statistics import observe
from ignn_jax.models import EDSR
from ignn_jax.models.ignn import downsample
from ignn_jax.ops.bicubic import imresize
from ignn_jax.weights.network import save
from tests.networks import random_variables, tiny_ignn


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def call(*args):
    return main([str(arg) for arg in args])


def test_a_motif_finds_itself_twice_as_large(tmp_path, capsys):
    motif = noise(9, 9)
    large = imresize(motif.astype(np.float32), scale=2)
    image = noise(240, 200, seed=1)
    image[90:99, 60:69] = motif
    image[128:146, 100:118] = np.rint(large).clip(0, 255)
    turned = Image.fromarray(np.rot90(image))
    turned.getexif()[ExifTags.Base.Orientation] = 6
    path, output = tmp_path / "$ 写真.png", tmp_path / "$ 写真_explained_65_95.png"
    turned.save(path, exif=turned.getexif())
    model, weights = tiny_ignn(window=30), tmp_path / "weights.safetensors"
    save(weights, model, random_variables(model))

    assert call("explain", path, "--at", "65,95", "--weights", weights) == 0
    out, err = capsys.readouterr()
    assert not err
    title, *_, header, first, second, written = out.splitlines()
    assert title == (
        "$ 写真.png (200 x 240): the patch nearest to 65,95 is 3 x 3 pixels from 64,94 "
        "on"
    )
    assert header.split() == ["neighbor", "distance", "weight", "HR", "patch"]
    # Candidates start every 4 pixels; this one is in the middle of the large motif.
    rank, distance, weight, place = first.split()
    assert (rank, place) == ("1", "108,136")
    _, other_distance, other_weight, _ = second.split()
    assert float(distance) < float(other_distance) / 2
    assert float(weight) + float(other_weight) == pytest.approx(1, abs=2e-3)
    assert written == str(output)
    with Image.open(output) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 1000


def before(length, patch, stride):
    return (-(length - patch) % stride) // 2


def corners(length, patch, stride):
    """The first pixel of each patch along an axis."""
    first = -before(length, patch, stride)
    return range(first, length - patch + stride, stride)


def pixels(image, box):
    """The pixels of a box, zeros beyond the image."""
    margin = max(box)
    padded = np.pad(image, [(margin, margin)] * 2 + [(0, 0)])
    top, left = box.top + margin, box.left + margin
    return padded[top : top + box.height, left : left + box.width]


@pytest.mark.parametrize(
    ("kind", "scale", "size", "at", "window", "patch", "stride"),
    [
        ("cross_scale", 2, (72, 91), (90, 71), 6, 3, 2),  # in a corner
        ("cross_scale", 3, (100, 64), (20, 51), 5, 3, 2),
        ("same_scale", 2, (40, 30), (0, 22), 7, 5, 3),
        ("cross_scale", 2, (8, 21), (13, 1), 0, 3, 2),  # too small for tiles, whole
    ],
)
def test_neighbors_are_those_of_a_loop(kind, scale, size, at, window, patch, stride):
    graph = {"neighbors": 5, "patch_size": patch, "patch_stride": stride}
    model = tiny_ignn(scale, kind=kind, window=window, edge_weights="gaussian", **graph)
    image = noise(*size)
    found = explain(model, random_variables(model), image, at)

    factor = scale if kind == "cross_scale" else 1
    lr = image.astype(np.float32)
    small = np.asarray(downsample(lr[None], factor))[0] if factor > 1 else lr
    cell, query, windows = [], [], []
    for length, small_length, n in zip(size, small.shape, reversed(at), strict=False):
        firsts = list(corners(length, patch, stride))
        query.append(min(firsts, key=lambda first: abs(first + (patch - 1) / 2 - n)))
        cell.append(firsts.index(query[-1]))
        candidates = list(corners(small_length, patch, stride))
        width = min(window, len(candidates)) or len(candidates)
        start = min(max(cell[-1] // factor - width // 2, 0), len(candidates) - width)
        windows.append(candidates[start : start + width])
    query = Box(*query, patch, patch)
    nearest = []
    for corner in itertools.product(*windows):
        box = Box(*corner, patch, patch)
        if factor > 1 or box != query:
            apart = np.linalg.norm(pixels(small, box) - pixels(lr, query)) / 255
            nearest.append((apart, box))
    nearest.sort()

    assert found.query == query
    assert found.neighbors == [box for _, box in nearest[:5]]
    expected = [apart for apart, _ in nearest[:5]]
    np.testing.assert_allclose(found.distances, expected, rtol=1e-3)
    first, last = (Box(*(w[n] for w in windows), patch, patch) for n in (0, -1))
    assert found.window[:2] == first[:2]
    for n in (0, 1):
        assert found.window[n] + found.window[n + 2] == last[n] + patch
    for box in found.neighbors:
        inside = box.within(Box(0, 0, *small.shape[:2]))
        shown = inside.of(found.small, found.start)
        np.testing.assert_allclose(shown, inside.of(small), atol=0.51)


def test_a_part_shows_what_the_whole_has():
    model = tiny_ignn(embedding="backbone")
    variables, image = random_variables(model), noise(60, 101)
    found = explain(model, variables, image, (77, 31))
    assert found.query == Box(30, 76, 3, 3)
    lr = image[None].astype(np.float32)
    indices, distances, weights = map(np.asarray, observe(model, variables, lr))
    rows, columns = np.divmod(indices[15, 38], 25)  # of 15 x 25 candidates
    assert found.neighbors == [
        Box(2 * row, 2 * column, 3, 3)
        for row, column in zip(rows, columns, strict=True)
    ]
    np.testing.assert_allclose(found.distances, distances[15, 38], rtol=1e-4)
    expected = weights[30:33, 76:79].mean(axis=(0, 1))
    np.testing.assert_allclose(found.weights, expected, rtol=1e-4)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_picture_outlines_what_was_found(scale):
    neighbors = [Box(n, 2 * n - 1, 3, 3) for n in range(11)]  # one beyond the border
    figure = draw(
        Explanation(
            lr=noise(60, 80),
            small=noise(30, 40),
            start=(0, 0),
            scale=scale,
            query=Box(20, 30, 3, 3),
            window=Box(0, -1, 21, 25),
            neighbors=neighbors,
            distances=np.arange(11) / 8,
            weights=np.full(11, 1 / 11),
        ),
        "a title",
    )
    figure.savefig(io.BytesIO(), dpi=20)

    def outlined(axes, color):
        """In pixels; the center of the first is 0, 0."""
        boxes = (patch.get_bbox() for patch in axes.patches if drawn(patch) == color)
        return [Box(b.y0 + 0.5, b.x0 + 0.5, b.height, b.width) for b in boxes]

    def drawn(patch):
        return to_hex(patch.get_edgecolor())

    places = [box.times(scale) for box in neighbors]
    overviews = figure.axes[:scale]
    for axes, boxes in zip(overviews, (places, neighbors), strict=False):
        for k, box in enumerate(boxes):
            assert box in outlined(axes, to_hex(f"C{k}"))
        assert [text.get_text() for text in axes.texts] == [
            str(k + 1) for k in range(11)
        ]
    assert Box(20, 30, 3, 3) in outlined(overviews[0], "#ffffff")
    panels = figure.axes[scale:]
    assert len(panels) == 12 * scale
    for k in range(11):
        assert panels[k + 1].get_title() == (
            f"{k + 1}\ndistance {k / 8:.3g}\nweight 0.091"
        )
        assert outlined(panels[k + 1], to_hex(f"C{k}")) == [neighbors[k]]
        assert outlined(panels[k - 11], to_hex(f"C{k}")) == [places[k]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"--at": "64,10"},
            "--at: 64,10 is outside {image}; give a pixel from 0,0 to 63,47",
        ),
        ({"--at": "64"}, "argument --at: invalid"),
        ({"--at": "1,2,3"}, "argument --at: invalid"),
        ({"--weights": "edsr"}, "no graph"),
        ({"--weights": "non_local"}, "no graph"),
        ({"-o": "out.jpg"}, "give a name that ends in .png"),
        ({"-o": "none/out.png"}, "no folder"),
        ({"-o": "image.png"}, "--output: image.png: is the input; give another name"),
        ({"-o": "old.png"}, "--output: old.png: exists already; give another name"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, change, words):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise(48, 64)).save("image.png")
    before = Path("image.png").read_bytes()
    Path("old.png").touch()
    edsr = EDSR(scale=2, features=4, num_blocks=1)
    for name, model in (("edsr", edsr), ("non_local", tiny_ignn(kind="non_local"))):
        save(name, model, random_variables(model))
    options = {"--at": "1,2", "--weights": "edsr", "-o": "out.png", **change}
    try:
        status = call("explain", "image.png", *itertools.chain(*options.items()))
    except SystemExit as error:  # argparse's, which prints the usage first
        status = error.code
    assert status == 2
    out, err = capsys.readouterr()
    assert not out
    assert words.format(image="image.png") in err.splitlines()[-1]
    assert [path.name for path in sorted(Path().iterdir())] == [
        "edsr",
        "image.png",
        "non_local",
        "old.png",
    ]
    assert Path("image.png").read_bytes() == before
