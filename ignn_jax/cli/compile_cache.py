"""What is compiled is kept for the next process: JAX's persistent compilation cache.

The programs of this package turn it on; importing the package does not. JAX names an
entry by the program, its own version and the features of the CPU or the accelerator, so
that machines may share a folder, and runs may write to it at once.
"""

import contextlib
import os
import shutil
import sys
import warnings

from ignn_jax.files import cache_folder

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
# Bytes: of all entries when a program starts, and of what the disk must have left. An
# entry that a full disk cut short would stay, and be of no use.
_LARGEST = 10**9
_LEAST_FREE = 10**9


def enable() -> bool:
    """Turns the cache on for this process, unless JAX is already imported.

    It is in the folder `compiled` of IGNN_CACHE or, without, of the user's cache
    folder. Where the environment sets JAX_COMPILATION_CACHE_DIR, all is left to JAX.
    Where the folder cannot be written, or its disk is almost full, the cache stays off:
    it saves time, and nothing else depends on it.

    Returns:
      Whether it is on by this.
    """
    if _VARIABLE in os.environ or "jax" in sys.modules:
        return False
    folder = cache_folder() / "compiled"
    try:
        # Entries are machine code: nobody else shall write them.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prune(folder)
        writable = os.access(folder, os.W_OK)
        if not writable or shutil.disk_usage(folder).free < _LEAST_FREE:
            return False
    except OSError:
        return False
    os.environ[_VARIABLE] = str(folder)
    # The defaults leave out what compiles in less than a second, which adds up.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # On CPUs with AVX-512 XLA takes +prefer-no-gather, a hint that it compiled with,
    # for a feature that the CPU lacks, and prints some 2000 characters for each entry
    # that it loads (https://github.com/openxla/xla/issues/44565).
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Entries that another run is writing, or that were cut short, are compiled anew.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation")
    return True


def _prune(folder):
    """Removes the entries that were used longest ago, until the rest is small enough.

    JAX can do so itself (jax_compilation_cache_max_size), but then takes a lock for
    every read, and in 0.10 stops writing for good after a run was killed at the wrong
    moment (https://github.com/jax-ml/jax/issues/39880).
    """
    entries = [(path, path.stat()) for path in folder.glob("*-cache")]
    entries.sort(key=lambda entry: max(entry[1].st_atime, entry[1].st_mtime))
    size = sum(status.st_size for _, status in entries)
    for path, status in entries:
        if size <= _LARGEST:
            break
        with contextlib.suppress(FileNotFoundError):  # others prune too
            path.unlink()
        size -= status.st_size
