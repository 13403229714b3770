"""The one check that tensors from a file are those that a network needs."""

from collections.abc import Mapping

import numpy as np

from ignn_jax.errors import InputError

_SHOWN = 4


def check_tensors(
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    source: str,
) -> None:
    """Checks names, shapes and values, and reports the first few problems at once.

    Args:
      tensors: arrays by name.
      shapes: the expected shape of every tensor, by the same names.
      source: what the message begins with: the file, or what the tensors should be.

    Raises:
      InputError: a tensor is missing, unexpected, of another shape or not finite.
    """
    problems = []
    for name, shape in shapes.items():
        if name not in tensors:
            problems.append(f"{name} is missing")
        elif tensors[name].shape != shape:
            problems.append(f"{name} has shape {tensors[name].shape}, not {shape}")
        elif not np.isfinite(tensors[name]).all():
            problems.append(f"{name} is not finite")
    problems += [f"{name} is unexpected" for name in tensors if name not in shapes]
    if problems:
        shown = "; ".join(problems[:_SHOWN])
        more = len(problems) - _SHOWN
        raise InputError(f"{source}: {shown}" + f" and {more} more" * (more > 0))
