"""Layouts: which files are found and how they are paired, whatever they hold."""

import pytest

from ignn_jax.data.layouts import find_pairs
from ignn_jax.errors import InputError


def save_all(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder, scale=2):
    """{name: (HR, LR)} relative to the folder."""
    return {
        pair.name: tuple(
            path and path.relative_to(folder).as_posix() for path in pair[1:]
        )
        for pair in find_pairs(folder, scale=scale).pairs
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
    assert not find_pairs(tmp_path, scale=2).unpaired


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
        find_pairs(tmp_path, scale=2)
    assert list(found(tmp_path / "DIV2K_train_HR")) == ["a"]


@pytest.mark.parametrize("name", ["image_SRF_4/a_SRF_4_HR.png", "HR/x4/a.png"])
def test_only_other_scales_are_an_error(tmp_path, name):
    save_all(tmp_path, name)
    with pytest.raises(InputError, match=r"holds (image_SRF_4|x4), none for x2"):
        find_pairs(tmp_path, scale=2)


def test_lr_images_alone_are_not_taken_for_hr(tmp_path):
    save_all(tmp_path, "LR_bicubic/X2/a.png", "originals/a.png")
    with pytest.raises(InputError, match="LR_bicubic: there is no folder HR"):
        find_pairs(tmp_path, scale=2)


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
    pairs, unpaired = find_pairs(tmp_path, scale=2)
    assert [pair.name for pair in pairs] == ["a"]
    lonely = tmp_path / layout[1 - missing].format("b")
    assert unpaired == [(lonely, f"its {('HR', 'LR')[missing]} image is missing")]
