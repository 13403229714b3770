"""A stable name: `ignn_jax.weights.torch` holds the converters."""

from ignn_jax.weights.torch import edsr_from_torch, ignn_from_torch

__all__ = ["edsr_from_torch", "ignn_from_torch"]
