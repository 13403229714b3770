"""Which files are found below a folder."""

import pytest

from ignn_jax.errors import InputError
from ignn_jax.pictures.folders import IMAGE_SUFFIXES, list_images, subfolders
from tests.pictures import samples


def test_list_images_is_recursive_sorted_and_skips_hidden(tmp_path):
    shown = ["B.PNG", "a.jpeg", "sub/deep/c.TIFF", "sub/z.webp"]
    ignored = [".hidden.png", ".cache/d.png", "sub/._z.webp", "notes.txt", "png"]
    for name in shown + ignored:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == [tmp_path / name for name in shown]
    assert list_images(str(tmp_path / "sub")) == [tmp_path / name for name in shown[2:]]


def test_list_images_below_a_hidden_folder(tmp_path):
    folder = tmp_path / ".data"
    folder.mkdir()
    (folder / "a.png").touch()
    assert list_images(folder) == [folder / "a.png"]


def test_list_images_refuses_missing_and_empty(tmp_path):
    with pytest.raises(InputError, match="gone: no such folder"):
        list_images(tmp_path / "gone")
    with pytest.raises(InputError, match="no image") as caught:
        list_images(tmp_path)
    assert all(suffix in str(caught.value) for suffix in IMAGE_SUFFIXES)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    """Its images would be missing without a word."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").touch()
    samples.make_unreadable(tmp_path / "closed", monkeypatch)
    with pytest.raises(InputError, match=r"closed: cannot be read \(Permission den"):
        list_images(tmp_path)
    assert subfolders(tmp_path / "closed") == []
