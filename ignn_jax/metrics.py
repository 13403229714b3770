"""A stable name: `ignn_jax.evaluation.metrics` holds the metrics."""

from ignn_jax.evaluation.metrics import psnr, ssim

__all__ = ["psnr", "ssim"]
