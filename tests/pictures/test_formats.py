"""Outputs that are refused before any work is done."""

from pathlib import Path

import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.pictures.formats import check_size, check_target


def test_existing_target(tmp_path):
    path = tmp_path / "a.png"
    check_target(path, overwrite=False)
    path.touch()
    check_target(path, overwrite=True)
    with pytest.raises(InputError, match=r"a\.png: exists already"):
        check_target(path, overwrite=False)


def test_a_size_beyond_the_format_is_named():
    """At the limit of the format, the picture is written."""
    check_size(Path("a.webp"), (1, 16383, 3), np.dtype(np.uint8))
    with pytest.raises(InputError, match=r"a\.webp: WEBP holds at most 16383"):
        check_size(Path("a.webp"), (1, 16384, 3), np.dtype(np.uint8))
    with pytest.raises(InputError, match=r"a\.jpg: JPEG holds at most 65500"):
        check_size(Path("a.jpg"), (65501, 1, 3), np.dtype(np.uint8))
    check_size(Path("a.tif"), (26000, 27000, 3), np.dtype(np.uint16))
    with pytest.raises(InputError, match=r"a\.tif: TIFF holds at most 4 GiB"):
        check_size(Path("a.tif"), (27000, 27000, 3), np.dtype(np.uint16))
