"""Layouts: which files are found and how they are paired, whatever they hold."""

import re

import pytest

from ignn_jax.data.layouts import find_pairs
from ignn_jax.errors import InputError


def save_all(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder, scale=2, *, base=None):
    """{name: (HR, LR)} relative to the base, which is the folder unless given."""
    return {
        pair.name: tuple(
            path and path.relative_to(base or folder).as_posix() for path in pair[1:]
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
        ("DF2K_HR/a.png", "DF2K_LR_bicubic_X2/a.png"),
        ("HR/a.png", "LR/a.png"),
        ("HR/a.png", "LRx2/a.png"),
        ("HR/a.png", "LRbicx2/a.png"),
        ("trainH/a.png", "trainL/a.png"),
        ("train_H/a.png", "train_L/X2/a.png"),
        ("X_HR_sub/1_s001.png", "X_LR_bicubic_sub/x2/1x2_s001.png"),
        ("X_HR_sub/1_s001.png", "X_LR_bicubic/X2_sub/1_s001.png"),
        ("Canon_001_HR.png", "Canon_001_LR2.png"),
        ("a_HR.png", "a_LR.png"),
    ],
)
def test_finds_the_layouts_that_exist_in_the_wild(tmp_path, hr, lr):
    save_all(tmp_path, *filter(None, (hr, lr)))
    [pair] = found(tmp_path).values()
    assert pair == (hr, lr)
    _, unpaired, folder = find_pairs(tmp_path, scale=2)
    assert not unpaired
    assert folder == (lr and (tmp_path / lr).parent)


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


@pytest.mark.parametrize("given", ["", "DIV2K_train_HR"])
@pytest.mark.parametrize("lr", ["DIV2K_train_LR_unknown/X2", "DIV2K_train_LR_mild"])
def test_lr_images_of_another_degradation_have_to_be_named(tmp_path, given, lr):
    hr = "DIV2K_train_HR"
    save_all(tmp_path, f"{hr}/a.png", f"{lr}/ax2.png")
    folder = tmp_path / hr
    with pytest.raises(InputError) as error:
        find_pairs(tmp_path / given, scale=2)
    kind = tmp_path / lr.partition("/")[0]
    assert f"give {folder}|{kind} to use them, or {folder}|bicubic" in str(error.value)
    pair = {"a": (f"{hr}/a.png", f"{lr}/ax2.png")}
    assert found(f"{folder}|{kind}", base=tmp_path) == pair
    made = {"a": (f"{hr}/a.png", None)}
    assert found(f"{folder}|bicubic", base=tmp_path) == made
    if "X2" in lr:  # there are none for x3
        assert found(tmp_path / given, scale=3, base=tmp_path) == made


def test_several_sets_in_one_folder_are_an_error(tmp_path):
    save_all(tmp_path, "DIV2K_train_HR/a.png", "DIV2K_train_LR_bicubic/X2/ax2.png")
    save_all(tmp_path, "DIV2K_valid_HR/b.png")
    with pytest.raises(InputError, match=r"DIV2K_train_HR, DIV2K_valid_HR; .* one"):
        find_pairs(tmp_path, scale=2)
    assert list(found(tmp_path / "DIV2K_train_HR", base=tmp_path)) == ["a"]


@pytest.mark.parametrize("name", ["image_SRF_4/a_SRF_4_HR.png", "HR/x4/a.png"])
def test_only_other_scales_are_an_error(tmp_path, name):
    save_all(tmp_path, name)
    with pytest.raises(InputError, match=r"holds (image_SRF_4|x4), none for x2"):
        find_pairs(tmp_path, scale=2)


@pytest.mark.parametrize(
    "names",
    [
        ("LR_bicubic/X2/a.png", "originals/a.png"),
        ("sub/HR/a.png", "sub/LR/a.png"),  # two levels down
        ("big/a.png", "x2/a.png", "x4/a.png"),
        ("original/a.png", "LRbicx2/a.png"),
        ("HR_all/a.png", "trainL/a.png"),
        ("gt/a.png", "lq/a.png"),
        ("high/a.png", "low_res/a.png"),
        ("a.png", "ax2.png"),
        ("a.png", "a_LR.png", "b.png"),
        ("a_s001.png", "ax2_s001.png"),
        ("HR/Set5/x2/a.png", "LR/Set5/x2/a.png"),
    ],
)
def test_what_may_be_lr_images_in_an_unknown_layout_is_refused(tmp_path, names):
    folder = tmp_path / "folder"
    save_all(folder, *names)
    with pytest.raises(InputError) as error:
        find_pairs(folder, scale=2)
    line = str(error.value)
    assert re.search(r"seems to hold LR images.*HR with LR, LR/x2 or .*\|bicubic", line)
    assert "\n" not in line
    assert len(find_pairs(f"{folder}|bicubic", scale=2).pairs) > 0


@pytest.mark.parametrize(
    "given",
    ["LR", "DIV2K_train_LR_bicubic", "DIV2K_train_LR_bicubic/X2", "LR_unknown/x2"],
)
def test_a_folder_of_lr_images_is_not_taken_for_hr(tmp_path, given):
    save_all(tmp_path, f"{given}/a.png")
    with pytest.raises(InputError, match="seems to hold LR images"):
        find_pairs(tmp_path / given, scale=2)


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("DIV2K_train_HR/0001.png", "DIV2K_train_LR_bicubic/X2/0001x2.png"),
        ("HR/a.png", "LR/a.png"),
        ("HR/x2/a.png", "LR/x2/a.png"),
        ("trainH/a.png", "trainL/a.png"),
        ("DIV2K_train_HR_sub/1_s1.png", "DIV2K_train_LR_bicubic/X2_sub/1_s1.png"),
    ],
)
def test_the_hr_folder_may_be_given_itself(tmp_path, hr, lr, monkeypatch):
    save_all(tmp_path, hr, lr)
    for folder in (tmp_path / hr.partition("/")[0], (tmp_path / hr).parent):
        assert list(found(folder, base=tmp_path).values()) == [(hr, lr)]
        monkeypatch.chdir(folder)
        (pair,) = find_pairs(".", scale=2).pairs
        assert pair.lr.samefile(tmp_path / lr)


@pytest.mark.parametrize(
    "lr",
    [
        "DIV2K_train_LR_bicubic_sub/x{0}/1x{0}_s01.png",  # by the authors' program
        "DIV2K_train_LR_bicubic/X{0}_sub/1_s01.png",  # by BasicSR's
    ],
)
def test_sub_images_of_several_scales_are_told_apart(tmp_path, lr):
    hr = "DIV2K_train_HR_sub/1_s01.png"
    save_all(tmp_path, hr, *(lr.format(scale) for scale in (2, 3, 4)))
    for scale in (2, 3, 4):
        pairs = found(tmp_path, scale).values()
        assert list(pairs) == [(hr, lr.format(scale))]


def test_two_folders_are_paired_whatever_their_names(tmp_path):
    save_all(tmp_path, "big/a.png", "big/b.png", "big/small/a.png", "x/X4/ax4.png")
    big = tmp_path / "big"
    pairs, unpaired, lr = find_pairs(f"{big}|{big / 'small'}", scale=2)
    assert [pair[1:] for pair in pairs] == [(big / "a.png", big / "small/a.png")]
    assert unpaired == [(big / "b.png", "its LR image is missing")]
    assert lr == big / "small"
    assert find_pairs(f"{big}|{tmp_path / 'x'}", scale=4).lr == tmp_path / "x/X4"
    with pytest.raises(InputError, match="holds X4, none for x2"):
        find_pairs(f"{big}|{tmp_path / 'x'}", scale=2)
    with pytest.raises(InputError, match=r"none: no such folder; .* LR images"):
        find_pairs(f"{big}|{tmp_path / 'none'}", scale=2)
    (tmp_path / "a|b").mkdir()
    save_all(tmp_path, "a|b/c.png")  # a folder's own name
    assert list(found(tmp_path / "a|b")) == ["c"]


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path):
    save_all(tmp_path, "HR/a.png", "elsewhere/b.png", "HR/deep/c.png")
    (tmp_path / "HR" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "HR" / "twice").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "HR" / "deep" / "circle").symlink_to(tmp_path / "HR")
    assert list(found(tmp_path)) == ["a", "c", "b"]


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
    pairs, unpaired, _ = find_pairs(tmp_path, scale=2)
    assert [pair.name for pair in pairs] == ["a"]
    lonely = tmp_path / layout[1 - missing].format("b")
    assert unpaired == [(lonely, f"its {('HR', 'LR')[missing]} image is missing")]
