"""Raw files of cameras, which hold what the sensor saw and a preview.

Most are TIFFs, and a reader of TIFFs finds the preview in them.
"""

import io
from pathlib import Path

import numpy as np
from PIL import TiffImagePlugin as tiff

from ignn_jax.pictures.tiff import is_tiff, read_tags

RAW_SUFFIXES = frozenset(
    {
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".erf"),
        *(".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mdc", ".mef", ".mos", ".mrw"),
        *(".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl"),
        *(".sr2", ".srf", ".srw", ".x3f"),
    }
)
_BEGINNINGS = (
    b"FUJIFILMCCD-RAW",
    b"FOVb",  # Sigma
    b"\0MRM",  # Minolta
    b"II\x1a\0\0\0HEAPCCDR",  # Canon's CRW
    b"IIU\0",  # Panasonic
    b"IIRO",  # Olympus
    b"IIRS",
    b"MMOR",
)
_CANON, _PHASE_ONE = b"CR", b"IIII"  # after a TIFF's first 8 bytes
_DNG_VERSION, _SUB_FILES, _PHOTOMETRIC = 50706, 330, 262
_SENSOR = (32803, 34892)  # photometric interpretations
_MAX_SUB_FILES = 16


def is_raw(data: bytes, name: Path) -> bool:
    """Whether a file is a camera's raw file, by its content or its name."""
    if data.startswith(_BEGINNINGS) or data[4:12] == b"ftypcrx ":
        return True
    if name.suffix.lower() in RAW_SUFFIXES:
        return True
    if not is_tiff(data):
        return False
    return data[8:10] == _CANON or data[8:12] == _PHASE_ONE or _has_sensor(data)


def _has_sensor(data: bytes) -> bool:
    """Whether a TIFF's tags, or those of the pictures inside it, speak of a sensor."""
    try:
        tags, _ = read_tags(data)
        if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _SENSOR:
            return True
        places = np.ravel(tags.get(_SUB_FILES, [])).tolist()
        for place in places[:_MAX_SUB_FILES]:
            page = tiff.ImageFileDirectory_v2(data[: 16 if tags.bigtiff else 8])
            file = io.BytesIO(data)
            file.seek(place)
            page.load(file)
            if page.get(_PHOTOMETRIC) in _SENSOR:
                return True
    except Exception:  # damaged: almost every kind
        return False
    return False
