"""Training crops of images whose pixels hold their own coordinates."""

import itertools
import json
import signal
from collections import Counter

import numpy as np
import pytest

from ignn_jax.data.batches import train_batches
from ignn_jax.data.pairs import Pair
from ignn_jax.data.sets import load_set
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from tests.networks import run, save_pictures, start


def _coordinates(height, width, index):
    """uint8 [H, W, 3]: each pixel is (row, column, index of the image)."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.full_like(rows, index)], -1).astype(np.uint8)


def _pairs(scale=2, count=5, height=20, width=24):
    return [
        Pair(
            f"{i}",
            _coordinates(height, width, i),
            _coordinates(height * scale, width * scale, i),
        )
        for i in range(count)
    ]


def _take(count, pairs=None, **options):
    settings = {"lr_patch": 7, "scale": 2, "batch_size": 4, "seed": 3} | options
    pairs = _pairs(settings["scale"]) if pairs is None else pairs
    return list(itertools.islice(train_batches(pairs, **settings), count))


def _crops(batches):
    return [crop for b in batches for crop in zip(b["lr"], b["hr"], strict=True)]


def _assert_equal(actual, expected):
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert a.keys() == e.keys()
        for key in e:
            np.testing.assert_array_equal(a[key], e[key])


def _steps(crop):
    """How the coordinates change with one step down, and one step to the right."""
    places = crop[..., :2].astype(int)
    down, right = np.diff(places, axis=0), np.diff(places, axis=1)
    assert (down == down[0, 0]).all()
    assert (right == right[0, 0]).all()
    return tuple(down[0, 0].tolist()), tuple(right[0, 0].tolist())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_and_hr_crops_show_the_same_place(scale):
    batches = _take(20, scale=scale)
    for batch in batches:
        assert batch["lr"].shape == (4, 7, 7, 3)
        assert batch["hr"].shape == (4, 7 * scale, 7 * scale, 3)
        assert batch["lr"].dtype == batch["hr"].dtype == np.uint8
    for lr, hr in _crops(batches):
        assert _steps(lr) == _steps(
            hr
        )  # the same orientation, and no pixel in a wrong place
        as_lr = hr // np.array([scale, scale, 1], np.uint8)
        np.testing.assert_array_equal(as_lr, np.kron(lr, np.ones((scale, scale, 1))))


def test_all_orientations_and_positions_occur():
    crops = _crops(_take(300))
    signed = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    expected = {
        (down, right)
        for down in signed
        for right in signed
        if abs(down[0]) != abs(right[0])
    }
    assert len(expected) == 8
    assert {_steps(lr) for lr, _ in crops} == expected
    corners = {tuple(lr[..., :2].min((0, 1)).tolist()) for lr, _ in crops}
    assert {top for top, _ in corners} == set(range(20 - 7 + 1))
    assert {left for _, left in corners} == set(range(24 - 7 + 1))


def test_channel_shuffle_orders_the_channels_of_a_crop_alike_in_lr_and_hr():
    orders = set()
    plain, shuffled = _crops(_take(40)), _crops(_take(40, channel_shuffle=True))
    for before, after in zip(plain, shuffled, strict=True):
        found = [
            order
            for order in itertools.permutations(range(3))
            if all(
                np.array_equal(b[..., order], a)
                for b, a in zip(before, after, strict=True)
            )
        ]
        assert len(found) == 1
        orders.add(found[0])
    assert len(orders) == 6


def test_crops_of_photographs_are_the_bicubic_of_their_hr():
    pairs = load_set("photos", scale=2)[1:2]
    for lr, hr in _crops(_take(8, pairs, lr_patch=32)):
        again = imresize(np.ascontiguousarray(hr), scale=0.5)
        inside = np.s_[2:-2, 2:-2]  # where the kernel stays within the crop
        # MATLAB rounds after the vertical pass, which a rotation makes horizontal.
        np.testing.assert_allclose(
            again[inside].astype(int), lr[inside].astype(int), atol=1
        )


def test_every_epoch_shows_each_image_once_in_a_new_order():
    images = [int(lr[0, 0, 2]) for lr, _ in _crops(_take(50))]
    epochs = [tuple(images[i : i + 5]) for i in range(0, 200, 5)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len(set(epochs)) > 20


def test_weights_are_how_often_an_image_is_drawn_in_an_epoch():
    weights = [1, 3, 2, 1, 1]
    pairs = [
        pair._replace(weight=weight)
        for pair, weight in zip(_pairs(), weights, strict=True)
    ]
    images = [int(lr[0, 0, 2]) for lr, _ in _crops(_take(40, pairs))]
    epochs = [tuple(images[i : i + 8]) for i in range(0, 160, 8)]
    for epoch in epochs:
        assert Counter(epoch) == Counter(dict(enumerate(weights)))
    assert len(set(epochs)) > 15
    # With weights of 1, the order is NumPy's permutation of the numbers of the images.
    order = np.random.default_rng((3, 0)).permutation(5)
    first = [int(lr[0, 0, 2]) for lr, _ in _crops(_take(2))][:5]
    assert first == order.tolist()


def test_a_batch_may_be_larger_than_the_set():
    (batch,) = _take(1, _pairs(count=1), batch_size=16)
    assert batch["lr"].shape[0] == 16
    assert len(np.unique(batch["lr"], axis=0)) > 8


def test_patch_of_the_whole_image_fits():
    pairs = _pairs(count=2, height=7, width=7)
    for lr, _ in _crops(_take(2, pairs)):
        assert lr[..., :2].max() == 6


def test_seed_decides_the_batches():
    _assert_equal(_take(6), _take(6))
    other = _take(6, seed=4)
    assert not np.array_equal(other[0]["lr"], _take(1)[0]["lr"])
    # Another seed does not give the same stream with an offset either.
    mine = {batch["lr"].tobytes() for batch in _take(50)}
    assert mine.isdisjoint(batch["lr"].tobytes() for batch in other)


@pytest.mark.parametrize(("num_threads", "prefetch"), [(1, 1), (2, 8), (5, 3)])
def test_threads_do_not_change_the_batches(num_threads, prefetch):
    expected = _take(40, num_threads=0)
    _assert_equal(_take(40, num_threads=num_threads, prefetch=prefetch), expected)


@pytest.mark.parametrize("start_step", [1, 7, 29])
def test_resuming_continues_the_stream_bit_for_bit(start_step):
    _assert_equal(_take(30 - start_step, start_step=start_step), _take(30)[start_step:])


def test_starting_late_is_as_quick_as_starting_early():
    (batch,) = _take(
        1, start_step=10**9
    )  # this would time out if the steps were replayed
    assert batch["lr"].shape == (4, 7, 7, 3)


@pytest.mark.parametrize("process_count", [2, 3])
def test_processes_deal_out_one_stream(process_count):
    whole = _take(10, batch_size=4 * process_count, start_step=2)
    for index in range(process_count):
        share = _take(
            10, process_index=index, process_count=process_count, start_step=2
        )
        expected = [{k: v[index::process_count] for k, v in b.items()} for b in whole]
        _assert_equal(share, expected)


def test_batches_are_copies():
    pairs = _pairs(count=1, height=7, width=7)
    for batch in _take(8, pairs, batch_size=1):
        batch["lr"][:] = 255
        batch["hr"][:] = 255
    np.testing.assert_array_equal(pairs[0].lr, _coordinates(7, 7, 0))
    np.testing.assert_array_equal(pairs[0].hr, _coordinates(14, 14, 0))


STREAM = """
import hashlib, sys
import numpy as np
from ignn_jax.data.pairs import Pair
from ignn_jax.data.batches import train_batches

rng = np.random.default_rng(0)
pairs = [
    Pair(str(n), *(rng.integers(0, 256, (k * 64, k * 70, 3), np.uint8) for k in (1, 2)))
    for n in range(5)
]
first, last = map(int, sys.argv[1:])
batches = train_batches(
    pairs, lr_patch=60, scale=2, batch_size=4, seed=1, start_step=first, num_threads=2
)
for step in range(first, last):
    batch = next(batches)
    digest = hashlib.sha256(batch["lr"].tobytes() + batch["hr"].tobytes())
    print(step, digest.hexdigest(), flush=True)
raise SystemExit(7)  # with batches in flight
"""


def test_a_stream_killed_goes_on_bit_for_bit():
    whole = run("-c", STREAM, 0, 60)
    assert whole.returncode == 7
    process = start("-c", STREAM, 0, 10**9)
    lines = [process.stdout.readline() for _ in range(23)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    rest = run("-c", STREAM, len(lines), 60)
    assert "".join(lines) + rest.stdout == whole.stdout


def test_the_benchmark_measures_and_writes_what_it_measured_on(tmp_path):
    folder = save_pictures(tmp_path / "images", side=128)
    options = ["--seconds", 0.1, "--repeats", 2, "--json", tmp_path / "speed.json"]
    done = run("-m", "benchmarks.pipeline", "--data", f"folder:{folder}", *options)
    assert done.returncode == 0, done.stderr
    assert "| ignn_jax.data.batches | " in done.stdout
    result = json.loads((tmp_path / "speed.json").read_text())
    ((title, rows),) = result["tables"].items()
    assert "out of 3 images" in title
    for row in rows:
        assert len(row["rates"]) == 2
        assert 0 < row["lowest"] <= row["median"] <= row["highest"]
    assert {"date", "processor", "cores", "python", "grain"} <= result["machine"].keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": []}, "data.train"),
        ({"lr_patch": 21}, "data.lr_patch: 21 is larger"),
        ({"seed": -1}, "seed: -1 is not"),
        ({"seed": 2**32}, "seed: "),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(InputError, match=message):
        _take(1, **change)
