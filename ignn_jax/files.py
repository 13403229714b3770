"""Files that a program leaves behind: refused before its work, or written whole."""

import contextlib
import io
import os
import pathlib
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

import platformdirs

from ignn_jax.errors import InputError

if TYPE_CHECKING:  # it takes a while to import, and few commands draw
    from matplotlib.figure import Figure


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
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Refuses, before any work is done, a file that could not be written after it.

    Args:
      path: the file.
      field: the argument that asked for it, for the message.
      suffix: that its name must have, such as ".png"; None for any.
      overwrite: whether a file that exists may be replaced.
      inputs: the files that the work reads, which are never replaced.

    Raises:
      InputError: its name has another suffix; it exists, is a folder, or is an input;
        or its folder is missing or cannot be written.
    """
    if str(path) == "-":
        raise InputError("-: give a file's name; stdout is not used", field=field)
    if suffix and path.suffix.lower() != suffix:
        raise InputError(f"{path}: give a name that ends in {suffix}", field=field)
    place = identity(path)
    if place and place in map(identity, inputs):
        raise InputError(f"{path}: is the input; give another name", field=field)
    check_free(path, field=field, overwrite=overwrite)
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}; make it first", field=field)
    _probe(path.parent, path, field)


def check_free(
    path: pathlib.Path, *, overwrite: bool, field: str | None = None
) -> None:
    """Refuses a path that cannot be a file's, or whose file must not be replaced.

    Raises:
      InputError: it is a folder; it exists, and `overwrite` is False; or no file can
        have this path: its name is too long, or it is a link that leads to itself.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_symlink():
            return
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"{path}: cannot be written: {reason_of(error)}", field=field
        ) from error
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file's name", field=field)
    if not overwrite:
        raise InputError(
            f"{path}: exists already; give another name, or allow overwriting",
            field=field,
        )


def identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """The device and number of a file, the same through links and in any case.

    None if there is no such file.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: no file can have this name
        return None
    return status.st_dev, status.st_ino


def reason_of(error: Exception) -> str:
    """What went wrong, in one line without the path."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split())


def check_output_folder(folder: pathlib.Path, *, field: str) -> None:
    """Makes a folder for outputs, and makes sure that files can be written into it.

    Raises:
      InputError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"{folder}: cannot be made a folder: {reason_of(error)}", field=field
        ) from error
    _probe(folder, folder, field)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file, UTF-8, as `write_bytes` does.

    File names may hold bytes that are no text. They are written as `\\udcff`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_figure(path: pathlib.Path, figure: "Figure") -> None:
    """Writes a figure of Matplotlib as a PNG, as `write_bytes` does."""
    picture = io.BytesIO()
    figure.savefig(picture)
    write_bytes(path, picture.getvalue())


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
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: cannot be written: {reason_of(error)}") from error
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
            f"{path}: cannot be written: {reason_of(error)}", field=field
        ) from error
