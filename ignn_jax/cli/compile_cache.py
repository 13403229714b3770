"""The compilation cache, which keeps compiled code for the next process.

It is JAX's own, and holds whole programs too (see `inference.programs`).

The programs of this package turn it on. Importing the package does not. JAX names each
entry by the program, its own version and the features of the CPU or the accelerator. So
machines may share a folder, and several runs may write to it at once.
"""

import contextlib
import os
import pathlib
import shutil
import sys
import warnings

from ignn_jax.files import cache_folder

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
_SWITCH = "JAX_ENABLE_COMPILATION_CACHE"
# In bytes: the most that all entries may take when a program starts, and the least that
# must be free on the disk. An entry cut short by a full disk would stay for ever.
_LARGEST = 10**9
_LEAST_FREE = 10**9
# Of JAX's entries, and of whole programs.
_ENDINGS = ("-cache", ".program")


def enable() -> pathlib.Path | None:
    """Turns the cache on for this process, unless JAX is already imported.

    It is the folder `compiled` in IGNN_CACHE or in the user's cache folder. If the
    environment sets JAX_COMPILATION_CACHE_DIR, JAX manages the cache; it may also turn
    it off by JAX_ENABLE_COMPILATION_CACHE. If the folder
    cannot be written, or its disk is almost full, the cache stays off: it only saves
    time.

    Returns:
      The folder, if this call has turned it on.
    """
    switched_off = os.environ.get(_SWITCH, "true").lower() in ("false", "0")
    if switched_off or _VARIABLE in os.environ or "jax" in sys.modules:
        return None
    folder = cache_folder() / "compiled"
    try:
        # Entries are machine code, which nobody else may write.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prune(folder)
        writable = os.access(folder, os.W_OK)
        if not writable or shutil.disk_usage(folder).free < _LEAST_FREE:
            return None
    except OSError:
        return None
    os.environ[_VARIABLE] = str(folder)
    # By default, programs that compile in less than a second are not kept. They add up.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # On CPUs with AVX-512, XLA takes its own hint +prefer-no-gather for a feature that
    # the CPU lacks, and prints 2000 characters for each entry that it loads
    # (https://github.com/openxla/xla/issues/44565).
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Entries that are damaged, or still being written, are compiled again.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation")
    return folder


def _prune(folder: pathlib.Path) -> None:
    """Removes the least recently used entries until the rest is small enough.

    JAX can do this itself (jax_compilation_cache_max_size). But then it takes a lock
    for each read, and JAX 0.10 never writes again after a run was killed at the wrong
    moment (https://github.com/jax-ml/jax/issues/39880).
    """
    paths = (path for ending in _ENDINGS for path in folder.glob(f"*{ending}"))
    entries = [(path, path.stat()) for path in paths]
    entries.sort(key=lambda entry: max(entry[1].st_atime, entry[1].st_mtime))
    size = sum(status.st_size for _, status in entries)
    for path, status in entries:
        if size <= _LARGEST:
            break
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            path.unlink()
        size -= status.st_size
