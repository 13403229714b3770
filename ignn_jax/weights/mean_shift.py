"""The convolutions in PyTorch checkpoints that subtract or add mean colors.

The authors' `MeanShift` is a 1 x 1 convolution of colors, y = A x + b. Its weights are
constants, but they are in every checkpoint. The networks here have them in their code,
so those of a checkpoint must be the same.

With one exception. Where the authors' code trains an IGNN from scratch, it initializes
all convolutions, and these with them: A is random, b is zero, and both stay so. Then no
mean is subtracted, and A is multiplied into the convolution before or behind it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.models.edsr import RGB_MEAN
from ignn_jax.models.embedding import IMAGENET_MEAN, IMAGENET_STD, VGG19


class MeanShift(NamedTuple):
    """One of them.

    beside: our path of the convolution that it comes before or, for "add_mean", after.
    weight: A, [3, 3, 1, 1].
    bias: b, [3].
    """

    beside: str
    weight: np.ndarray
    bias: np.ndarray


def _mean_shift(beside, mean, std, *, sign, color_range=1):
    # Computed in this order in float32, as PyTorch does.
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    weight = np.diag(1 / std).reshape(3, 3, 1, 1)
    return MeanShift(beside, weight, np.float32(sign * color_range) * mean / std)


_DIV2K = {"mean": np.divide(RGB_MEAN, 255), "std": np.ones(3), "color_range": 255}
MEAN_SHIFTS = {
    "sub_mean": _mean_shift("params/head", **_DIV2K, sign=-1),
    "add_mean": _mean_shift("params/tail", **_DIV2K, sign=1),
    "vggnet.sub_mean": _mean_shift(
        f"{VGG19}/embedding/conv1_1", IMAGENET_MEAN, IMAGENET_STD, sign=-1
    ),
}
# What a MeanShift is that changes nothing.
_NONE = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), np.zeros(3, np.float32)


def remove_mean_shifts(
    arrays: Mapping[str, np.ndarray], names: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], set[str]]:
    """Takes them out of a checkpoint's arrays.

    Args:
      arrays: by PyTorch's names, convolutions OIHW; a MeanShift may be missing.
      names: PyTorch's name of each convolution, by our path.

    Returns:
      The other arrays, and the names of the MeanShifts that do not shift.

    Raises:
      InputError: one is neither the constant that the networks have nor without a mean.
    """
    rest, without_mean = dict(arrays), set()
    for name, expected in MEAN_SHIFTS.items():
        weight, bias = (rest.pop(f"{name}.{leaf}", None) for leaf in ("weight", "bias"))
        if weight is None and bias is None:
            continue
        if weight is None or bias is None:
            raise InputError(f"{name} has no weight or no bias")
        if weight.shape != (3, 3, 1, 1) or bias.shape != (3,):
            raise InputError(f"{name} is not a 1 x 1 convolution of three colors")
        if _close(weight, expected.weight) and _close(bias, expected.bias):
            continue
        if np.any(bias):
            raise InputError(
                f"{name} shifts colors by {_list(bias)}, not by "
                f"{_list(expected.bias)}: a network for images of another range or "
                "mean, which is not known here"
            )
        without_mean.add(name)
        beside = names[expected.beside]
        _multiply(rest, beside, weight[:, :, 0, 0].astype(np.float64), name)
    return rest, without_mean


def _multiply(arrays, conv, matrix, name):
    """Multiplies the matrix of a MeanShift into the convolution beside it."""
    kernel, bias = arrays.get(f"{conv}.weight"), arrays.get(f"{conv}.bias")
    if kernel is None or bias is None or kernel.ndim != 4:
        return  # what is wrong with the convolution is reported with all the rest
    if name != "add_mean":
        arrays[f"{conv}.weight"] = np.einsum("ockl,cd->odkl", kernel, matrix)
    else:
        # The network adds the mean.
        arrays[f"{conv}.weight"] = np.einsum("oc,cikl->oikl", matrix, kernel)
        arrays[f"{conv}.bias"] = matrix @ bias - MEAN_SHIFTS[name].bias


def mean_shift_arrays(name: str, *, shifts: bool) -> dict[str, np.ndarray]:
    """What a checkpoint holds of a MeanShift: the identity if it does not shift."""
    expected = MEAN_SHIFTS[name]
    weight, bias = (expected.weight, expected.bias) if shifts else _NONE
    return {f"{name}.weight": weight, f"{name}.bias": bias}


def _close(array, expected):
    return np.allclose(array, expected, rtol=5e-3, atol=1e-6)  # bfloat16's precision


def _list(color):
    return ", ".join(f"{x:.4g}" for x in color)
