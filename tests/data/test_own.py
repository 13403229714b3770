"""DIV2K's own validation images, and what has none."""

import pytest

from configs import base, x2, x3, x4
from ignn_jax.data.own import validation_source
from ignn_jax.data.sets import load_sets
from ignn_jax.errors import InputError
from tests.networks import save_pictures


def test_the_papers_configs_train_on_all_images(tmp_path):
    """On all 800 of DIV2K, that is: none is held out."""
    save_pictures(tmp_path / "DIV2K" / "DIV2K_train_HR", count=8, side=40)
    save_pictures(tmp_path / "DIV2K" / "DIV2K_valid_HR", count=1, side=80)
    train = f"folder:{tmp_path}/DIV2K/DIV2K_train_HR"
    for module in (x2, x3, x4):
        config = module.get_config()
        images, held_out = load_sets(
            train, config.data.validation, scale=config.scale, lr_patch=10
        )
        # The one validation image equals one of the training images at no size.
        assert (len(images), len(held_out)) == (8, 1)
        changed = config.to_dict()
        changed["data"]["validation"], changed["scale"] = "split:0.1", 2
        assert changed == base.get_config().to_dict()


@pytest.mark.parametrize(
    ("train", "folder", "own"),
    [
        ("folder:{}/DIV2K_train_HR", "DIV2K_valid_HR", "folder:{}/DIV2K_valid_HR"),
        ("folder:{}/train/HR*2", "val/HR", "folder:{}/val/HR"),
        ("folder:{}/Training", "Validation", "folder:{}/Validation"),
        ("folder:{}/TRAIN|bicubic", "VAL", "folder:{}/VAL|bicubic"),
        ("folder:{}/none,folder:{}/train", "valid", "folder:{}/valid"),
        ("tfds:div2k/bicubic_x3", "", "tfds:div2k/bicubic_x3:validation"),
        ("tfds:a/b:2.0.0:train[:5%]", "", "tfds:a/b:2.0.0:validation"),
    ],
)
def test_its_own_validation_images(tmp_path, train, folder, own):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    train, own = (text.replace("{}", str(tmp_path)) for text in (train, own))
    assert validation_source(train, "own") == own
    assert validation_source(train, "split:0.2") == "split:0.2"


def test_hr_and_lr_named_apart(tmp_path):
    names = ("HR", "LR_unknown/X2")
    for name in names:
        (tmp_path / f"DIV2K_valid_{name}").mkdir(parents=True)
    train, own = (
        "folder:" + "|".join(f"{tmp_path}/DIV2K_{part}_{name}" for name in names)
        for part in ("train", "valid")
    )
    assert validation_source(train, "own") == own


@pytest.mark.parametrize("train", ["photos", "folder:{}/images", "folder:{}/train"])
def test_without_any_it_says_what_to_give(tmp_path, train):
    with pytest.raises(InputError, match=r"DIV2K_valid_HR .* split:0\.1") as error:
        validation_source(train.replace("{}", str(tmp_path)), "own")
    assert error.value.field == "data.validation"
