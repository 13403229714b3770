"""What `ignn-jax weights` prints: a list of the package's weights, or one in detail.

Nothing here needs JAX, so the command answers at once.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ignn_jax.tables import text_table
from ignn_jax.weights.file import count_parameters, read_weights
from ignn_jax.weights.find import find_weights, pretrained


def describe_pretrained() -> str:
    """A table of the weights that come with the package, with their scores.

    Raises:
      InputError: one of them is damaged.
    """
    rows = [("name", "scale", "parameters", "size", "PSNR on Y, bicubic's", "license")]
    for name, path in pretrained().items():
        tensors, header = read_weights(path)
        model = header["model"]
        scores = (
            f"{dataset} {psnr[model['name']]:.2f} dB, {psnr['bicubic']:.2f} dB"
            for dataset, psnr in header["psnr"].items()
        )
        row = (
            name,
            f"x{model['scale']}",
            f"{count_parameters(tensors):,}",
            _size(path),
        )
        rows.append((*row, "; ".join(scores), header["license"]))
    return text_table(rows)


def describe_weights(weights: str | os.PathLike) -> str:
    """All that a weights file says about itself: its size and its header, line by line.

    Args:
      weights: what `find_weights` takes.

    Raises:
      InputError: no such file, not a weights file, or a damaged one.
    """
    path = find_weights(weights)
    tensors, header = read_weights(path)
    stored = ", ".join(sorted({array.dtype.name for array in tensors.values()}))
    facts = {
        "file": str(path),
        "size": f"{_size(path)}, {stored}",
        "parameters": f"{count_parameters(tensors):,}",
    }
    return "\n".join(_lines(facts | header))


def _size(path):
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _lines(entries: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    width = max(map(len, entries), default=0)
    for key, value in entries.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}"
            yield from _lines(value, indent + "  ")
        else:
            text = f"{value:.6g}" if isinstance(value, float) else value
            yield f"{indent}{key:<{width}}  {text}"
