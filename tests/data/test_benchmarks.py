"""Benchmark sets: found by name, and read as they are scored."""

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data.benchmarks import find_benchmark, find_benchmarks, read_pair
from ignn_jax.data.matching import PairFiles
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize


def picture(height=24, width=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def save_all(folder, *names):
    for name in names:
        save(folder / name, picture())


def test_sets_are_found_by_name_in_any_case(tmp_path):
    save_all(tmp_path, "Set5/a.png", "Set14/b.png")
    benchmarks = find_benchmarks(tmp_path, ["set14", "Set5"], scale=2)
    assert [benchmark.name for benchmark in benchmarks] == ["Set14", "Set5"]
    [benchmark] = find_benchmarks(tmp_path / "Set5", None, scale=2)
    assert benchmark.name == "Set5"


@pytest.mark.parametrize(
    ("root", "names", "message"),
    [
        ("nowhere", None, "nowhere: no such folder"),
        ("", ["Set5", "Set6"], r"sets: Set6: no such folder .* holds Set14, Set5$"),
        ("", ["Set5", "set5"], "set5 is given twice"),
        ("Set5", ["x"], "holds no folder"),
    ],
)
def test_missing_folders_are_named(tmp_path, root, names, message):
    save_all(tmp_path, "Set5/a.png", "Set14/b.png")
    with pytest.raises(InputError, match=message):
        find_benchmarks(tmp_path / root, names, scale=2)


def test_lr_is_made_of_the_cut_hr(tmp_path):
    image = picture(25, 31)
    files = PairFiles("a", save(tmp_path / "a.png", image))
    pair = read_pair(files, scale=3)
    np.testing.assert_array_equal(pair.hr, image[:24, :30])
    np.testing.assert_array_equal(pair.lr, imresize(pair.hr, scale=1 / 3))
    assert (pair.name, pair.origin) == ("a", "made")


@pytest.mark.parametrize(
    ("size", "origin"),
    [((12, 15), "given"), ((13, 16), "given, cut"), ((13, 15), "given, cut")],
)
def test_lr_sizes_rounded_down_or_up_are_taken(tmp_path, size, origin):
    image, small = picture(25, 31), picture(*size)
    files = PairFiles(
        "a", save(tmp_path / "a.png", image), save(tmp_path / "lr.png", small)
    )
    pair = read_pair(files, scale=2)
    np.testing.assert_array_equal(pair.hr, image[:24, :30])
    np.testing.assert_array_equal(pair.lr, small[:12, :15])
    assert (pair.name, pair.origin) == ("a", origin)


@pytest.mark.parametrize("size", [(11, 15), (14, 15), (12, 17), (24, 30)])
def test_lr_of_another_size_is_an_error(tmp_path, size):
    files = PairFiles(
        "a",
        save(tmp_path / "a.png", picture(24, 30)),
        save(tmp_path / "lr.png", picture(*size)),
    )
    with pytest.raises(InputError, match=r"lr.png: is .*\(30 x 24\) is 15 x 12"):
        read_pair(files, scale=2)


def test_images_too_small_to_score_are_an_error(tmp_path):
    for side, scale in ((15, 2), (16, 2), (19, 4), (22, 4)):
        files = PairFiles("a", save(tmp_path / "a.png", picture(side, 40)), None)
        smallest = 11 + 2 * scale
        if side // scale * scale >= smallest:
            read_pair(files, scale=scale)
        else:
            with pytest.raises(InputError, match=r"a.png: .* too few"):
                read_pair(files, scale=scale)


def test_the_benchmarks_are_found(images):
    for name, count in (("Set5", 5), ("Set14", 14), ("Urban100-odd", 50)):
        benchmark = find_benchmark(images / "benchmark" / name, scale=2)
        assert len(benchmark.pairs) == count
        assert not benchmark.unpaired
        assert all((pair.lr is None) == (count == 50) for pair in benchmark.pairs)
