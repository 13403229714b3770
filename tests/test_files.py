"""Outputs, refused before the work."""

import os
import pathlib

import pytest

from ignn_jax.cli.config_file import load_config
from ignn_jax.data.benchmarks import find_benchmarks
from ignn_jax.data.layouts import find_pairs
from ignn_jax.errors import InputError
from ignn_jax.files import check_output, write_text
from ignn_jax.pictures.folders import list_images
from ignn_jax.training.lock import Lock


def test_inputs_are_not_replaced(tmp_path):
    source, link = tmp_path / "a.png", tmp_path / "b.png"
    source.touch()
    link.symlink_to(source)
    for path in (source, link, tmp_path / "c" / ".." / "a.png"):
        (tmp_path / "c").mkdir(exist_ok=True)
        for overwrite in (False, True):
            with pytest.raises(InputError, match=r"output: .*: is the input"):
                check_output(path, field="output", overwrite=overwrite, inputs=[source])
    check_output(source, field="output", inputs=[tmp_path / "none"])


def test_paths_that_no_file_can_have(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    for name, words in (
        ("n" * 300, "File name too long"),
        ("loop", "Too many levels"),
        ("loop/a", "Too many levels"),
        ("-", "stdout"),
    ):
        with pytest.raises(InputError, match=words):
            check_output(pathlib.Path(name), field="output")
    assert os.listdir(tmp_path) == ["loop"]


def test_names_that_are_no_text_are_written_as_escapes(tmp_path):
    write_text(tmp_path / "a", f"caf\u00e9 {os.fsdecode(bytes([0xFF]))}")
    assert (tmp_path / "a").read_bytes() == b"caf\xc3\xa9 \\udcff"


def enter(workdir):
    with Lock(workdir):
        pass


@pytest.mark.parametrize(
    "use",
    [
        lambda folder: find_pairs(folder, scale=2),
        lambda folder: find_pairs(f"{folder}|{folder}", scale=2),
        lambda folder: find_benchmarks(folder, None, scale=2),
        list_images,
        lambda folder: load_config(folder / "config.py"),
        enter,
    ],
)
def test_what_is_in_a_folder_that_may_not_be_entered(tmp_path, use):
    folder = tmp_path / "closed" / "inside"
    folder.mkdir(parents=True)
    Lock(tmp_path)  # imports what it needs, which others may not
    folder.parent.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # who may enter all
            os.seteuid(65534)
        with pytest.raises(InputError, match=f"{folder}"):
            use(folder)
    finally:
        os.seteuid(user)
        folder.parent.chmod(0o700)
