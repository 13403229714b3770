"""Outputs, refused before the work."""

import os
import pathlib

import pytest

from ignn_jax.errors import InputError
from ignn_jax.files import check_output, write_text


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
