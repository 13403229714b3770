"""F_L at HR size, with and without AdaPN (Figure 5 of the paper).

Arrays are NumPy's, float32, and belong to one image.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.models import IGNN
from ignn_jax.ops.bicubic import imresize

# How many standard deviations around the mean are shown from black to white.
_SHOWN = 2.5


class Channel(NamedTuple):
    """A channel of F_L at HR size.

    name: how it came to HR size.
    gray: uint8 [S * H, S * W], on the scale of F_L's own channel.
    detail: the energy of its gradients over that of F_L's upsampled by bicubic.
    drift: how far it is from F_L at LR size: the root mean square of the difference, in
      standard deviations of F_L.
    """

    name: str
    gray: np.ndarray
    detail: float
    drift: float


class AggregatedFeatures(NamedTuple):
    """F_L and what the graph makes of it.

    lr: F_L, [H, W, C].
    bicubic: F_L at HR size by bicubic, [S * H, S * W, C].
    adapn, plain: aggregated, with AdaPN and without, [S * H, S * W, C].
    """

    lr: np.ndarray
    bicubic: np.ndarray
    adapn: np.ndarray
    plain: np.ndarray

    def of_most_contrast(self, count: int) -> list[int]:
        """The channels of F_L of the largest variance, in descending order."""
        return np.argsort(-self.lr.var(axis=(0, 1)))[:count].tolist()

    def channel(self, number: int) -> Iterator[Channel]:
        """A channel by bicubic, with AdaPN and without.

        Raises:
          InputError: F_L has no such channel.
        """
        if not 0 <= number < self.lr.shape[-1]:
            raise InputError(
                f"{number}: give numbers from 0 to {self.lr.shape[-1] - 1}",
                field="channels",
            )
        lr, bicubic, adapn, plain = (x[..., number] for x in self)
        scale = len(bicubic) // len(lr)
        low, high = (lr.mean() + n * _SHOWN * lr.std() for n in (-1, 1))
        names = ("bicubic", "aggregated with AdaPN", "aggregated without AdaPN")
        for name, hr in zip(names, (bicubic, adapn, plain), strict=True):
            difference = imresize(hr, scale=1 / scale) - lr
            yield Channel(
                name,
                np.rint(255 * ((hr - low) / (high - low)).clip(0, 1)).astype(np.uint8),
                float(_energy(hr) / _energy(bicubic)),
                float(np.sqrt(np.mean(difference**2)) / lr.std()),
            )


def aggregated_features(
    model: IGNN, variables: Mapping[str, Any], lr: np.ndarray
) -> AggregatedFeatures:
    """Aggregates F_L with AdaPN and without, by the same graph and edge weights.

    Args:
      model: a network with a graph across scales.
      variables: what `model.apply` takes.
      lr: uint8 [H, W, 3].
    """
    image = lr[None].astype(np.float32)
    (features, adapn), (_, plain) = (
        jax.device_get(
            _aggregate(
                model.clone(graph=dataclasses.replace(model.graph, normalization=name)),
                variables,
                image,
            )
        )
        for name in ("adapn", "none")
    )
    bicubic = imresize(features, scale=model.graph_scale)
    return AggregatedFeatures(features, bicubic, adapn, plain)


# Under jit only what is returned is computed.
@functools.partial(jax.jit, static_argnames="model")
def _aggregate(model, variables, image):
    """F_L and the HR output of the graph, of one image."""
    _, seen = model.apply(variables, image, mutable="intermediates")
    seen = seen["intermediates"]
    return seen["lr_features"][0][0], seen["aggregated_hr"][0][0]


def _energy(image):
    return np.mean(np.diff(image, axis=0) ** 2) + np.mean(np.diff(image, axis=1) ** 2)
