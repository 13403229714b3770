"""Upscaling Pillow images and arrays: `ignn_jax.upscale`."""

import functools
import os

import numpy as np
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.inference.network import load_network
from ignn_jax.pictures.decode import from_pillow
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.picture import Picture, to_pillow
from ignn_jax.pictures.upscale import Network, upscale_picture
from ignn_jax.weights.find import default_weights, find_weights


def upscale(
    image: Image.Image | np.ndarray,
    *,
    weights: str | os.PathLike | None = None,
    scale: int | None = None,
    outscale: float | None = None,
    size: tuple[int, int] | None = None,
    width: int | None = None,
    tile: int | str | None = "auto",
    ensemble: bool = False,
    device: str | None = None,
    dtype: str | None = None,
) -> Image.Image | np.ndarray:
    """Upscales an image and returns the same kind of image.

    The last two networks are kept for the next call.

    Args:
      image: a Pillow image of any mode (CMYK and palettes come back as RGB or RGBA); or
        a NumPy array, [H, W] or [H, W, C], with 1 channel (gray), 2 (gray and alpha), 3
        (RGB) or 4 (RGBA); uint8, uint16, or floats in [0, 255].
      weights: a weights file, the workdir of a training run, or the name of weights
        that come with the package. By default, the package's own for the scale.
      scale: of the network; x2 by default. Weights of another scale are refused.
      outscale: how much wider and higher the result is; the network's scale by default.
        Bicubic interpolation does what remains after the network. Give only one of
        `outscale`, `size` and `width`.
      size: (width, height) of a box for the result to fit into, in proportion.
      width: of the result, in pixels.
      tile: side of the tiles that the image goes through in, in pixels; "auto"; `None`
        for the whole image at once.
      ensemble: average over the 8 flips and rotations (IGNN+), 8 times slower.
      device: "cpu", "gpu" or "tpu"; JAX's choice by default.
      dtype: of the convolutions, "float32" or "bfloat16"; the weights' own by default.

    Returns:
      The larger image: a Pillow image, upright, with color profile, EXIF and resolution
      in its `info`; or an array of the same channels and dtype, clipped to its range.

    Raises:
      InputError: `image` is none of these, the weights cannot be read or are of another
        scale, or the options contradict each other.
    """
    picture = _picture_of(image)
    end_size = EndSize.given(outscale, size, width)
    weights = default_weights(scale) if weights is None else weights
    changed = find_weights(weights).stat().st_mtime_ns
    options = (scale, tile, ensemble, device, dtype)
    network = _cached_network(os.fspath(weights), changed, *options)
    result = upscale_picture(network, picture, end_size=end_size)
    if isinstance(image, np.ndarray):
        samples = result.samples
        return samples[..., 0] if image.ndim == 2 else samples
    return _pillow_of(result)


@functools.lru_cache(maxsize=2)
def _cached_network(
    weights: str,
    changed: int,
    scale: int | None,
    tile: int | str | None,
    ensemble: bool,
    device: str | None,
    dtype: str | None,
) -> Network:
    return load_network(
        weights, scale=scale, tile=tile, ensemble=ensemble, device=device, dtype=dtype
    )


def _picture_of(image: Image.Image | np.ndarray) -> Picture:
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise InputError(f"the image is empty: {image.width} x {image.height}")
        try:
            return from_pillow(image)
        except ValueError as error:
            raise InputError(f"the image cannot be used: {error}") from error
    if not isinstance(image, np.ndarray):
        raise InputError(
            f"the image is a {type(image).__name__}; give a Pillow image or an array"
        )
    channels = image.shape[2:] or (1,)
    known = image.ndim in (2, 3) and channels[0] in (1, 2, 3, 4)
    if not known or image.size == 0:
        raise InputError(
            f"the image has shape {image.shape}; give [H, W], or [H, W, C] of 1 "
            "channel (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA)"
        )
    if image.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise InputError(
            f"the image is of {image.dtype}; give uint8, uint16, or floats in [0, 255]"
        )
    if not np.isfinite([image.min(), image.max()]).all():
        raise InputError("the image holds values that are not finite numbers")
    return Picture(image.reshape(*image.shape[:2], -1))


def _pillow_of(picture: Picture) -> Image.Image:
    samples = picture.samples
    if samples.dtype == np.uint16 and samples.shape[-1] > 1:
        samples = np.rint(samples / 257).astype(np.uint8)  # Pillow has no 16-bit colors
    image = to_pillow(samples)
    kept = {
        "icc_profile": picture.icc_profile,
        "exif": picture.exif,
        "dpi": picture.dpi,
    }
    image.info.update({name: value for name, value in kept.items() if value})
    return image
