"""The converters of PyTorch weights, under a stable name."""

from ignn_jax.weights.torch import (
    edsr_from_torch,
    ignn_from_torch,
    network_from_torch,
    network_to_torch,
)

__all__ = [
    "edsr_from_torch",
    "ignn_from_torch",
    "network_from_torch",
    "network_to_torch",
]
