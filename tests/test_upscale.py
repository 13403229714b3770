import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageCms

from ignn_jax.errors import InputError
from ignn_jax.inference.files import Picture, read_picture
from ignn_jax.ops.bicubic import imresize, imresize_jnp
from ignn_jax.upscale import (
    Job,
    plan_jobs,
    upscale_file,
    upscale_files,
    upscale_picture,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@jax.jit
def bicubic(lr):
    return imresize_jnp(lr, scale=2)


@jax.jit
def nearest(lr):
    return lr.repeat(2, axis=1).repeat(2, axis=2)


def smooth(height=24, width=32):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([100 + 2 * x, 60 + 3 * y, 200 - x - y], axis=-1)


def save(path, array=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = smooth().astype(np.uint8) if array is None else array
    Image.fromarray(array).save(path, **options)
    return path


def entries(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


# What goes where


@pytest.mark.parametrize(
    ("name", "default"),
    [("a.jpg", "a_x2.jpg"), ("b.c.PNG", "b.c_x2.PNG"), ("d.gif", "d_x2.png")],
)
def test_a_file_goes_beside_itself(tmp_path, name, default):
    source = save(tmp_path / name)
    assert plan_jobs(source, scale=2) == [Job(source, tmp_path / default)]


def test_a_file_goes_where_it_is_told(tmp_path):
    source, output = save(tmp_path / "a.gif"), tmp_path / "out.tif"
    assert plan_jobs(source, output, scale=2) == [Job(source, output)]
    output = tmp_path / "folder"
    output.mkdir()
    assert plan_jobs(source, output, scale=2) == [Job(source, output / "a.png")]


def test_a_folder_is_mirrored(tmp_path):
    folder = tmp_path / "in"
    names = ["a.png", "b/a.jpg", "b/c/d.webp"]
    for name in names:
        save(folder / name)
    (folder / "text.txt").touch()
    for output in (tmp_path / "out", folder / "out", None):
        target = output or tmp_path / "in_x3"
        jobs = plan_jobs(folder, output, scale=3)
        assert jobs == [Job(folder / name, target / name) for name in names]
    save(folder / "out" / "a.png")  # of an earlier run
    assert len(plan_jobs(folder, folder / "out", scale=3)) == 3


def test_sources_that_cannot_be_planned(tmp_path):
    with pytest.raises(InputError, match=r"none\.png: no such file or folder"):
        plan_jobs(tmp_path / "none.png", scale=2)
    with pytest.raises(InputError, match="no image"):
        plan_jobs(tmp_path, scale=2)
    save(tmp_path / "a.png")
    with pytest.raises(InputError, match="originals"):
        plan_jobs(tmp_path, tmp_path / ".", scale=2)
    save(tmp_path / "out" / "b.png")
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="no pictures but"):
        plan_jobs(tmp_path, tmp_path / "out", scale=2)


# Pictures


def test_colors_go_through_the_network_and_alpha_through_bicubic():
    alpha = np.linspace(1, 255, 24 * 32, dtype=np.float32).reshape(24, 32)
    picture = Picture(smooth(), alpha, bits=16, dpi=(72.0, 72.0), notes=("a",))
    result = upscale_picture(nearest, picture, scale=2)
    np.testing.assert_array_equal(result.pixels, nearest(smooth()[None])[0])
    np.testing.assert_array_equal(result.alpha, imresize(alpha, scale=2))
    kept = result._replace(pixels=None, alpha=None)
    assert kept == picture._replace(pixels=None, alpha=None)


def test_invisible_colors_leave_no_fringe():
    """A white disc on transparent black shows no gray on any background."""
    y, x = np.mgrid[:40, :40]
    disc = np.hypot(y - 20, x - 20) < 12
    pixels = np.float32(255) * np.dstack([disc] * 3)
    alpha = np.float32(255) * disc
    result = upscale_picture(bicubic, Picture(pixels, alpha), scale=2)
    assert result.alpha.min() < 1
    assert result.alpha.max() > 254
    np.testing.assert_allclose(result.pixels, 255, atol=0.01)


def test_each_invisible_pixel_takes_the_nearest_color():
    pixels = np.float32([[[9, 0, 0], [7, 7, 7], [7, 7, 7], [0, 5, 0], [0, 0, 3]]])
    alpha = np.float32([[255, 0, 0, 1, 255]])
    result = upscale_picture(nearest, Picture(pixels, alpha), scale=2)
    np.testing.assert_array_equal(result.pixels[0, ::2], pixels[0, [0, 0, 3, 3, 4]])


@pytest.mark.parametrize("value", [0, 255])
def test_alpha_that_is_the_same_everywhere(value):
    alpha = np.full((24, 32), value, np.float32)
    result = upscale_picture(nearest, Picture(smooth(), alpha), scale=2)
    np.testing.assert_array_equal(result.pixels, nearest(smooth()[None])[0])
    np.testing.assert_allclose(result.alpha, value, atol=1e-3)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not finite"):
        upscale_picture(lambda lr: nearest(lr) * jnp.nan, Picture(smooth()), scale=2)


# Files


def test_a_file_keeps_what_belongs_to_it(tmp_path):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    source, target = tmp_path / "a.jpg", tmp_path / "new" / "folder" / "b.png"
    save(source, exif=exif, icc_profile=SRGB, dpi=(300, 300))
    assert upscale_file(bicubic, source, target, scale=2) == ()
    original, result = read_picture(source), read_picture(target)
    assert result.pixels.shape == (64, 48, 3)
    expected = np.clip(imresize(original.pixels, scale=2), 0, 255)
    np.testing.assert_allclose(result.pixels, expected, atol=0.51)
    assert result.icc_profile == SRGB
    with Image.open(target) as image:
        assert dict(image.getexif()) == {274: 1, 271: "Maker"}
        assert round(image.info["dpi"][0]) == 300


@pytest.mark.parametrize(
    "array",
    [
        np.arange(35, dtype=np.uint8).reshape(5, 7),
        np.arange(35, dtype=np.uint16).reshape(5, 7) * 1800,
        np.arange(35).reshape(5, 7) % 3 == 0,
        np.arange(105, dtype=np.uint8).reshape(5, 7, 3),
        np.arange(70, dtype=np.uint8).reshape(5, 7, 2) + 1,
        np.arange(140, dtype=np.uint8).reshape(5, 7, 4) + 1,
        np.full((1, 1, 3), 77, np.uint8),
    ],
)
def test_each_kind_of_picture(tmp_path, array):
    source, target = save(tmp_path / "a.png", array), tmp_path / "b.png"
    assert upscale_file(nearest, source, target, scale=2) == ()
    with Image.open(source) as before, Image.open(target) as after:
        assert after.mode == ("L" if before.mode == "1" else before.mode)
        expected = np.asarray(before.convert(after.mode))
        result = np.asarray(after)
    channels = slice(-1) if array.shape[2:] in [(2,), (4,)] else slice(None)
    expected = expected.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(result[..., channels], expected[..., channels])


def test_tiles(tmp_path):
    source = save(tmp_path / "a.png", smooth(50, 70).astype(np.uint8))
    upscale_file(bicubic, source, tmp_path / "whole.png", scale=2)
    upscale_file(bicubic, source, tmp_path / "tiled.png", scale=2, tile=16, overlap=3)
    whole, tiled = (
        read_picture(tmp_path / f"{name}.png").pixels for name in ("whole", "tiled")
    )
    np.testing.assert_allclose(tiled, whole, atol=1)  # rounding of equal values


def test_notes_of_reading_and_of_writing(tmp_path):
    source = save(tmp_path / "a.png", np.full((5, 7, 4), 9, np.uint8))
    (note,) = upscale_file(nearest, source, tmp_path / "b.jpg", scale=2)
    assert "white" in note


def never(lr):
    raise AssertionError("the network ran")


def test_what_can_be_refused_is_refused_before_the_network_runs(tmp_path):
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"
    target.touch()
    with pytest.raises(InputError, match=r"b\.png: exists already"):
        upscale_file(never, source, target, scale=2)
    with pytest.raises(InputError, match=r"b\.xyz: .*must end in"):
        upscale_file(never, source, tmp_path / "b.xyz", scale=2)
    with pytest.raises(InputError, match=r"none\.png: cannot be read"):
        upscale_file(never, tmp_path / "none.png", tmp_path / "c.png", scale=2)
    with pytest.raises(InputError, match=r"b\.png: cannot be made a folder"):
        upscale_file(never, source, target / "c.png", scale=2)
    assert target.read_bytes() == b""
    assert entries(tmp_path) == ["a.png", "b.png"]


def test_overwrite(tmp_path):
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"
    target.touch()
    upscale_file(nearest, source, target, scale=2, overwrite=True)
    assert read_picture(target).pixels.shape == (48, 64, 3)


def test_a_failed_network_leaves_nothing(tmp_path):
    source = save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: .*not finite"):
        upscale_file(lambda lr: nearest(lr) / 0, source, tmp_path / "b.png", scale=2)
    assert entries(tmp_path) == ["a.png"]


# Batches


def test_a_folder(tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png")
    save(folder / "b" / "c.jpg")
    jobs = plan_jobs(folder, output, scale=2)
    assert upscale_files(bicubic, jobs, scale=2, tile=40) == 0
    assert entries(output) == ["a.png", "b/c.jpg"]
    assert capsys.readouterr().out.splitlines() == [
        f"{folder / name} -> {output / name}" for name in ("a.png", "b/c.jpg")
    ]


def test_a_failed_file_fails_only_itself(tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png", np.full((4, 4, 4), 9, np.uint8))
    data = save(folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(data[: len(data) // 2])
    save(folder / "c.png", np.zeros((13, 4), np.uint8))
    save(folder / "d.png")
    save(output / "d.png", np.zeros((3, 3), np.uint8))
    (folder / "e.png").write_bytes(b"")
    save(folder / "f.png")

    def network(lr):
        if lr.shape[1] == 13:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\n...")
        return nearest(lr)

    assert upscale_files(network, plan_jobs(folder, output, scale=2), scale=2) == 1
    assert entries(output) == ["a.png", "d.png", "f.png"]
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    heading, *failures = captured.err.splitlines()
    assert heading == "4 of 6 failed:"
    assert [line.split(": ")[0] for line in failures] == [
        str(folder / "b.png"),
        str(folder / "c.png"),
        str(output / "d.png"),
        str(folder / "e.png"),
    ]
    assert "--tile" in failures[1]
    assert read_picture(output / "d.png").pixels.shape == (3, 3, 3)


def test_notes_are_printed_with_their_file(tmp_path, capsys):
    source = save(tmp_path / "a.png", np.full((4, 4, 4), 9, np.uint8))
    jobs = plan_jobs(source, tmp_path / "b.jpg", scale=2)
    assert upscale_files(nearest, jobs, scale=2) == 0
    assert capsys.readouterr().err.startswith(f"{source}: its transparency")


def test_a_wrong_tile_is_refused_before_any_file(tmp_path):
    with pytest.raises(InputError, match="tile of 32"):
        upscale_files(never, [Job(tmp_path, tmp_path)], scale=2, tile=32)


def test_a_mistake_in_the_program_is_not_hidden(tmp_path):
    jobs = plan_jobs(save(tmp_path / "a.png"), scale=3)
    with pytest.raises(ValueError, match="returned"):
        upscale_files(nearest, jobs, scale=3)
