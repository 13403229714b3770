"""Compiled programs, kept in a folder for the next process.

JAX's own cache saves compiling. But to find an entry there, a program has to be traced
and lowered first, which takes longer than a small picture. Here it is found by what it
is made of: the network, the shapes of its arguments, this package, JAX and the machine.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from ignn_jax.errors import InputError
from ignn_jax.files import write_bytes
from ignn_jax.machine import processor_features

SUFFIX = ".program"
_ROOT = pathlib.Path(__file__).parents[1]
_DIGEST = hashlib.sha256().digest_size


def compile_or_load(
    program: Any,
    args: tuple[Any, ...],
    *,
    name: Any,
    devices: Sequence[jax.Device],
    folder: pathlib.Path | None = None,
) -> jax.stages.Compiled:
    """A function compiled for its arguments.

    Args:
      program: made by `jax.jit`; its result is one array.
      args: arrays, or their shapes and dtypes.
      name: says, by its `repr`, which function of this package it is.
      devices: that it runs on.
      folder: where compiled programs are kept. Whoever writes there decides what this
        process executes. None: nowhere.
    """
    if folder is None:
        return program.lower(*args).compile()
    path = folder / (_key(args, name, devices) + SUFFIX)
    trees = jax.tree.structure((args, {})), jax.tree.structure(0)
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[_DIGEST:]).digest() == data[:_DIGEST]:
            os.utime(path)  # the least recently used are removed
            return serialize_executable.deserialize_and_load(
                data[_DIGEST:], *trees, devices[0].client, devices
            )
    except Exception:
        pass  # whatever a library says of it, the program is compiled again
    with _without_jax_cache():
        compiled = program.lower(*args).compile()
    try:
        data, *own = serialize_executable.serialize(compiled)
        if tuple(own) == trees:
            write_bytes(path, hashlib.sha256(data).digest() + data)
    except (ValueError, NotImplementedError, jax.errors.JaxRuntimeError, InputError):
        pass  # not every platform can keep programs, nor every folder
    return compiled


@contextlib.contextmanager
def _without_jax_cache() -> Iterator[None]:
    """Compiles anew: what JAX's cache has loaded cannot be stored again on CPUs.

    It can be, but then lacks the functions that it calls ("NOT_FOUND: Function ...").
    """
    config: Any = jax.config
    was_enabled = config.jax_enable_compilation_cache
    config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # else it stays as it was when first used
    try:
        yield
    finally:
        config.update("jax_enable_compilation_cache", was_enabled)
        compilation_cache.reset_cache()


def _key(args, name, devices):
    """Names what a compiled program depends on."""
    shapes = [(x.shape, str(x.dtype)) for x in jax.tree.leaves(args)]
    of_machine = [device.device_kind for device in devices]
    # What changes programs, and is not where they are kept.
    environment = sorted(
        (key, value)
        for key, value in os.environ.items()
        if key.startswith(("JAX_", "XLA_", "LIBTPU_")) and "CACHE" not in key
    )
    facts = [
        *(repr(name), str(jax.tree.structure(args)), shapes, of_machine, environment),
        *(importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")),
        *(_package_digest(), devices[0].client.platform_version, processor_features()),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@functools.cache
def _package_digest():
    """Of the code that programs are traced from."""
    rooms = (_ROOT / room for room in ("ops", "models", "inference"))
    files = sorted(path for room in rooms for path in room.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
