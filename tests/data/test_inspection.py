"""`ignn-jax data inspect`, as a user runs it."""

import numpy as np
import pytest
from PIL import Image

from ignn_jax.cli import main
from ignn_jax.ops.bicubic import imresize
from tests.networks import save_pictures


def _save_hr_and_lr(folder):
    for n in range(2):
        hr = np.random.default_rng(n).integers(0, 256, (40, 60, 3), np.uint8)
        for name, image in (("HR", hr), ("LR/x2", imresize(hr, scale=0.5))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / name / f"{n}.png")


def test_inspect_counts_names_and_draws(tmp_path, capsys):
    pictures = save_pictures(tmp_path / "a", count=4, side=80)
    (pictures / "broken.png").write_text("not a picture")
    Image.new("RGB", (30, 90)).save(pictures / "narrow.png")
    _save_hr_and_lr(tmp_path / "b")
    spec = f"folder:{tmp_path}/a*3,folder:{tmp_path}/b"
    sheet = tmp_path / "sheet.png"
    options = ["--lr-patch", "20", "--seed", "5", "-o", str(sheet)]
    assert main(["data", "inspect", spec, *options]) == 0
    out = capsys.readouterr().out
    assert "6 images" in out
    assert "smallest 60 x 40, median 80 x 80, largest 80 x 80" in out
    assert "LR images: 4 made, 2 given" in out
    assert f"  folder:{tmp_path}/a: LR made by MATLAB's bicubic\n" in out
    hr, lr = f"HR from {tmp_path}/b/HR", f"LR from {tmp_path}/b/LR/x2"
    assert f"  folder:{tmp_path}/b: {hr}, {lr}\n" in out
    assert "weight 3: 4 images, 86% of crops" in out
    assert "2 left out" in out
    assert f"1: is smaller than 40 x 40: folder:{tmp_path}/a/narrow.png" in out
    reason = "cut short, or not an image in a known format"
    assert f"1: {reason}: folder:{tmp_path}/a/broken.png" in out

    # LR enlarged, beside HR: a crop in either of its 8 orientations.
    pixels = np.asarray(Image.open(sheet))
    lr, hr = pixels[28:148:6, 8:128:6], pixels[28:148:3, 132:252:3]
    np.testing.assert_array_equal(pixels[33:148:6, 13:128:6], lr)
    difference = imresize(hr, scale=0.5).astype(int) - lr
    assert abs(difference[2:-2, 2:-2]).max() <= 1

    first = sheet.read_bytes()
    assert main(["data", "inspect", spec, *options]) == 0
    assert sheet.read_bytes() == first
    assert main(["data", "inspect", spec, *options, "--channel-shuffle"]) == 0
    assert sheet.read_bytes() != first


def test_inspect_takes_out_the_validation_images(tmp_path, capsys):
    save_pictures(tmp_path, count=4, side=80)
    spec = f"folder:{tmp_path}"
    options = ["--validation", "split:0.25", "--lr-patch", "20"]
    assert main(["data", "inspect", spec, *options]) == 0
    out = capsys.readouterr().out
    assert "Validation: 1 image\n" in out
    assert "Training: 3 images" in out


def test_inspect_names_what_is_wrong(tmp_path, capsys):
    def refused(*options):
        assert main(["data", "inspect", *options]) == 2
        return capsys.readouterr().err

    assert "no such folder" in refused(f"folder:{tmp_path}/none")
    spec, sheet = f"folder:{save_pictures(tmp_path)}", tmp_path / "sheet.jpg"
    assert "--output: " in refused(spec, "-o", str(sheet))
    (tmp_path / "file").touch()
    assert "--cache: " in refused(spec, "--cache", str(tmp_path / "file"))
    assert "--validation: split:2: give" in refused(spec, "--validation", "split:2")
    small = refused(spec, "--lr-patch", "99")
    assert "each of the 3 images is smaller than 198 x 198" in small


@pytest.mark.parametrize("before_it", ["", "photos,"])
def test_inspect_does_not_draw_over_an_image(tmp_path, capsys, before_it):
    folder = save_pictures(tmp_path / "a", count=2, side=80)
    image = next(folder.iterdir())
    before = image.read_bytes()
    options = ["--lr-patch", "20", "-o", str(image)]
    assert main(["data", "inspect", f"{before_it}folder:{folder}", *options]) == 2
    assert "--output: " in (err := capsys.readouterr().err)
    assert "is the input" in err
    assert image.read_bytes() == before
