"""Files that a program leaves behind: refused before its work, or written whole."""

import contextlib
import os
import pathlib
import uuid

import platformdirs

from ignn_jax.errors import InputError


def cache_folder() -> pathlib.Path:
    """Of what can be made again: the environment's IGNN_CACHE, or else the user's."""
    folder = os.environ.get("IGNN_CACHE") or platformdirs.user_cache_dir("ignn-jax")
    return pathlib.Path(folder).expanduser().absolute()


def check_output(
    path: pathlib.Path,
    *,
    field: str,
    suffix: str | None = None,
    overwrite: bool = True,
) -> None:
    """Refuses, before any work is done, a file that could not be written after it.

    Args:
      path: the file.
      field: the argument that asked for it, for the message.
      suffix: that its name must have, such as ".png"; None for any.
      overwrite: whether a file that exists may be replaced.

    Raises:
      InputError: its name has another suffix; it exists, or is a folder; or its folder
        is missing or cannot be written.
    """
    if suffix and path.suffix.lower() != suffix:
        raise InputError(f"{path}: give a name that ends in {suffix}", field=field)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file's name", field=field)
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: exists already; give another name, or allow overwriting",
            field=field,
        )
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}; make it first", field=field)
    _probe(path.parent, path, field)


def check_output_folder(folder: pathlib.Path, *, field: str) -> None:
    """Makes a folder for outputs, and makes sure that files can be written into it.

    Raises:
      InputError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made a folder: {error.strerror}", field=field
        ) from error
    _probe(folder, folder, field)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file, UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: pathlib.Path, data: bytes | memoryview) -> None:
    """Writes beside `path` and renames, so that no reader ever sees half a file.

    Raises:
      InputError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        # Not tempfile: its files are private to the user, whatever the umask says.
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):  # renamed, or never made
            temporary.unlink()


def _probe(folder: pathlib.Path, path: pathlib.Path, field: str) -> None:
    # Only writing tells: permissions say nothing of read-only disks, or of root.
    probe = folder / f".{uuid.uuid4().hex}.part"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}", field=field
        ) from error
