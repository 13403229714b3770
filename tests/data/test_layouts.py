import numpy as np
import pytest
from PIL import Image

from ignn_jax.data.layouts import (
    PairFiles,
    find_benchmark,
    find_benchmarks,
    read_pair,
)
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


def found(folder, scale=2):
    """{name: (HR, LR)} relative to the folder."""
    benchmark = find_benchmark(folder, scale=scale)
    return {
        pair.name: tuple(
            path and path.relative_to(folder).as_posix() for path in pair[1:]
        )
        for pair in benchmark.pairs
    }


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("a.png", None),
        ("sub/a.png", None),
        ("HR/a.png", None),
        ("HR/x2/a.png", None),
        ("HR/a.png", "LR_bicubic/X2/ax2.png"),
        ("hr/a.png", "lr_bicubic/x2/a.png"),
        ("HR/a.BMP", "LR_bicubic/X2/aX2.png"),
        ("HR/x2/a.png", "LR/x2/a.png"),
        ("HR/X2/a_HR_x2.png", "LR/X2/a_LRBI_x2.png"),
        ("HR/a_SRF_2_HR.png", "LR_bicubic/X2/a_SRF_2_LR.png"),
        ("GTmod12/a.png", "LRbicx2/a.png"),
        ("image_SRF_2/a_SRF_2_HR.png", "image_SRF_2/a_SRF_2_LR.png"),
        ("Image_srf_2/a_HR.png", "Image_srf_2/a_LR.png"),
        ("a_SRF_2_HR.png", "a_SRF_2_LR.png"),
        ("DIV2K_train_HR/a.png", "DIV2K_train_LR_bicubic/X2/ax2.png"),
        ("Flickr2K_HR/a.png", "Flickr2K_LR_bicubic/X2/ax2.png"),
    ],
)
def test_finds_the_layouts_that_exist_in_the_wild(tmp_path, hr, lr):
    save_all(tmp_path, *filter(None, (hr, lr)))
    [pair] = found(tmp_path).values()
    assert pair == (hr, lr)
    assert not find_benchmark(tmp_path, scale=2).unpaired


def test_a_scale_without_lr_images_has_them_made(tmp_path):
    save_all(tmp_path, "HR/a.png", "LR_bicubic/X4/ax4.png")
    assert found(tmp_path) == {"a": ("HR/a.png", None)}
    assert found(tmp_path, scale=4) == {"a": ("HR/a.png", "LR_bicubic/X4/ax4.png")}


def test_other_files_beside_the_self_exemplar_pairs_are_left_alone(tmp_path):
    names = ("a_SRF_2_HR.png", "a_SRF_2_LR.png", "a_SRF_2_bicubic.png")
    save_all(tmp_path / "image_SRF_2", *names)
    save_all(tmp_path / "image_SRF_4", "a_SRF_4_HR.png", "a_SRF_4_LR.png")
    assert list(found(tmp_path)) == ["a"]


def test_a_name_that_ends_in_hr_is_a_photograph_like_any_other(tmp_path):
    save_all(tmp_path, "night_HR.png", "noon.png")
    assert list(found(tmp_path)) == ["night_HR", "noon"]


def test_an_album_that_ends_in_hr_is_a_folder_like_any_other(tmp_path):
    save_all(tmp_path, "alps_HR/a.png", "sea/b.png")
    assert list(found(tmp_path)) == ["a", "b"]


def test_lr_images_of_another_kind_are_not_taken_for_hr(tmp_path):
    save_all(tmp_path, "DIV2K_train_HR/a.png", "DIV2K_train_LR_unknown/X2/ax2.png")
    assert found(tmp_path) == {"a": ("DIV2K_train_HR/a.png", None)}


def test_several_sets_in_one_folder_are_an_error(tmp_path):
    save_all(tmp_path, "DIV2K_train_HR/a.png", "DIV2K_train_LR_bicubic/X2/ax2.png")
    save_all(tmp_path, "DIV2K_valid_HR/b.png")
    with pytest.raises(InputError, match=r"DIV2K_train_HR, DIV2K_valid_HR; .* one"):
        find_benchmark(tmp_path, scale=2)
    assert list(found(tmp_path / "DIV2K_train_HR")) == ["a"]


@pytest.mark.parametrize("name", ["image_SRF_4/a_SRF_4_HR.png", "HR/x4/a.png"])
def test_only_other_scales_are_an_error(tmp_path, name):
    save_all(tmp_path, name)
    with pytest.raises(InputError, match=r"holds (image_SRF_4|x4), none for x2"):
        find_benchmark(tmp_path, scale=2)


def test_lr_images_alone_are_not_taken_for_hr(tmp_path):
    save_all(tmp_path, "LR_bicubic/X2/a.png", "originals/a.png")
    with pytest.raises(InputError, match="LR_bicubic: there is no folder HR"):
        find_benchmark(tmp_path, scale=2)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.png", "b.png"), ["a", "b"]),
        (("a.jpg", "a.png", "b.png"), ["a.jpg", "a.png", "b"]),
        (("b.png", "x/a.png", "y/a.png"), ["b", "x/a", "y/a"]),
    ],
)
def test_names_are_unique(tmp_path, names, expected):
    save_all(tmp_path, *names)
    assert sorted(found(tmp_path)) == expected


@pytest.mark.parametrize(
    ("layout", "missing"),
    [
        (("HR/{}.png", "LR_bicubic/X2/{}x2.png"), 0),
        (("HR/{}.png", "LR_bicubic/X2/{}x2.png"), 1),
        (("image_SRF_2/{}_SRF_2_HR.png", "image_SRF_2/{}_SRF_2_LR.png"), 0),
        (("image_SRF_2/{}_SRF_2_HR.png", "image_SRF_2/{}_SRF_2_LR.png"), 1),
    ],
)
def test_a_missing_half_is_named_and_the_rest_kept(tmp_path, layout, missing):
    save_all(tmp_path, *(name.format("a") for name in layout))
    save_all(tmp_path, layout[1 - missing].format("b"))
    benchmark = find_benchmark(tmp_path, scale=2)
    assert [pair.name for pair in benchmark.pairs] == ["a"]
    [line] = benchmark.unpaired
    assert layout[1 - missing].format("b") in line
    assert f"its {('HR', 'LR')[missing]} image is missing" in line


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
        ("", ["Set5", "Set6"], r"--sets Set6: no such folder .* holds Set14, Set5$"),
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
