"""IGNN: the Cross-Scale Internal Graph Neural Network for image super-resolution.

Zhou, Zhang, Zuo, Loy, "Cross-Scale Internal Graph Neural Network for Image
Super-Resolution", NeurIPS 2020, in JAX and Flax.
"""

from typing import Any


def upscale(
    image: Any,
    *,
    weights: Any = None,
    scale: int | None = None,
    outscale: float | None = None,
    size: tuple[int, int] | None = None,
    width: int | None = None,
    tile: int | str | None = "auto",
    ensemble: bool = False,
    device: str | None = None,
    dtype: str | None = None,
) -> Any:
    """Upscales an image; the same kind comes back.

    Args:
      image: a Pillow image of any mode (CMYK and palettes come back as RGB, or RGBA);
        or a NumPy array, [H, W] or [H, W, C], of 1 channel gray, 2 gray and alpha, 3
        RGB or 4 RGBA; uint8, uint16, or floats in [0, 255].
      weights: a weights file, the workdir of a training run, or the name of weights
        that come with the package; by default those of the scale. They are read and
        compiled once for calls that follow each other.
      scale: of the weights by default, x2 if not given; weights of another scale are
        refused.
      outscale: how much wider and higher the result shall be, by bicubic from the
        network's scale on; or give `size` or `width`. The network's scale by default.
      size: (width, height) of a box that the result shall fit into, in proportion.
      width: of the result, in pixels.
      tile: side of the tiles that it goes through in, in pixels; "auto"; None for the
        whole image at once.
      ensemble: average over the 8 flips and rotations (IGNN+), 8 times slower.
      device: "cpu", "gpu" or "tpu"; JAX's choice by default.
      dtype: of the convolutions, "float32" or "bfloat16"; the weights' own by default.

    Returns:
      The larger image: a Pillow image with color profile, EXIF and resolution in its
      `info`, upright; or an array of the same channels and dtype, clipped to its range.

    Raises:
      ignn_jax.errors.InputError: the image is none of these, the weights cannot be read
        or are of another scale, or the options contradict each other.
    """
    # JAX takes a second to import: not with the package.
    from ignn_jax.inference.images import upscale_image
    from ignn_jax.pictures.end_size import EndSize

    return upscale_image(
        image,
        weights=weights,
        scale=scale,
        end_size=EndSize.given(outscale, size, width),
        tile=tile,
        ensemble=ensemble,
        device=device,
        dtype=dtype,
    )
