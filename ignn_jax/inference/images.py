"""Upscaling Pillow images and arrays: `ignn_jax.upscale`."""

import functools
import numbers
import os
from typing import Any

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of
from ignn_jax.inference.network import check_options, load_network
from ignn_jax.pictures.attached import keyword, text_of
from ignn_jax.pictures.decode import from_pillow
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.lasting import attach_to_image
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
    data_range: float | None = None,
) -> Image.Image | np.ndarray:
    """Upscales an image and returns the same kind of image.

    The last two networks are kept for the next call.

    Args:
      image: a Pillow image of any mode (CMYK and palettes come back as RGB or RGBA); or
        a NumPy array, [H, W] or [H, W, C], with 1 channel (gray), 2 (gray and alpha), 3
        (RGB) or 4 (RGBA); uint8, uint16, or floats in [0, 255], or in the range that
        `data_range` gives.
      weights: a weights file, the workdir of a training run, or the name of weights
        that come with the package. By default, the package's own for the scale.
      scale: of the network; by default the next one that reaches `outscale`, or x2.
        Weights of another scale are refused.
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
      data_range: the value of white in an array, such as 1 for floats in [0, 1], as
        scikit-image has them, or 4095 for 12 bits in uint16. Black is 0. By default,
        the largest value of an integer dtype, and 255 for floats.

    Returns:
      The larger image: a Pillow image, upright, with color profile, EXIF, resolution,
      XMP, comments and texts in its `info`; or an array of the same channels, dtype and
      range, clipped to it.

    Raises:
      InputError: `image` is none of these, or holds floats that cannot be in [0, 255];
        the weights cannot be read or are of another scale; or the options contradict
        each other.
    """
    if isinstance(image, Image.Image):
        if data_range is not None:
            raise InputError("is for arrays, not Pillow images", field="data_range")
        picture = _picture_of(image)
    else:
        picture = _picture_of_array(image, data_range)
    check_options(scale=scale, tile=tile, device=device, dtype=dtype)
    end_size = EndSize.given(outscale, size, width)
    if weights is None:
        weights = default_weights(scale, outscale=outscale)
    changed = find_weights(weights).stat().st_mtime_ns
    options = (scale, tile, ensemble, device, dtype)
    network = _cached_network(os.fspath(weights), changed, *options)
    result = upscale_picture(network, picture, end_size=end_size)
    if isinstance(image, Image.Image):
        return _pillow_of(result)
    return _array_of(result.samples, image, data_range)


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


def _picture_of(image: Image.Image) -> Picture:
    if 0 in image.size:
        raise InputError(f"the image is empty: {image.width} x {image.height}")
    try:
        turn = image.getexif().get(Base.Orientation, 1)  # loading a TIFF turns it
        # Pillow converts La to nothing else.
        upright = from_pillow(image.convert("LA") if image.mode == "La" else image)
    except Exception as error:  # a lazy image is decoded now, and may be damaged
        raise InputError(f"the image cannot be used: {reason_of(error)}") from error
    return attach_to_image(upright, image, turn)


def _picture_of_array(image: Any, data_range: float | None) -> Picture:
    _check_array(image)
    if data_range is None:
        if image.dtype.kind == "f":
            has_alpha = image.ndim == 3 and image.shape[2] in (2, 4)
            for part in (image[..., :-1], image[..., -1]) if has_alpha else (image,):
                _check_range(part)
            image = image.astype(np.promote_types(image.dtype, np.float32))
        # Whatever its byte order.
        samples = image.astype(image.dtype.newbyteorder("="), copy=False)
    else:
        if not _is_positive(data_range):
            raise InputError(
                f"{data_range!r} is not a positive number", field="data_range"
            )
        if image.dtype.kind == "u" and data_range > np.iinfo(image.dtype).max:
            raise InputError(
                f"{data_range!r} is beyond {image.dtype}: white would become black",
                field="data_range",
            )
        samples = image.astype(np.float32) * np.float32(255 / data_range)
    return Picture(samples.reshape(*image.shape[:2], -1))


def _check_array(image: Any) -> None:
    if isinstance(image, str | bytes | os.PathLike) or hasattr(image, "read"):
        raise InputError(
            f"the image is a {type(image).__name__}; open it with PIL.Image.open"
        )
    # Subclasses mean more than their values do: masks, units, other rules of shapes.
    if type(image) not in (np.ndarray, np.memmap):
        raise InputError(
            f"the image is a {type(image).__name__}; give a Pillow image, or a plain "
            "array (numpy.asarray)"
        )
    channels = image.shape[2:] or (1,)
    known = image.ndim in (2, 3) and channels[0] in (1, 2, 3, 4)
    if not known or image.size == 0:
        raise InputError(
            f"the image has shape {image.shape}; give [H, W], or [H, W, C] of 1 "
            "channel (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA)"
        )
    kind = image.dtype.kind
    if kind != "f" and (kind, image.dtype.itemsize) not in (("u", 1), ("u", 2)):
        raise InputError(
            f"the image is of {image.dtype}; give uint8, uint16, or floats in [0, 255]"
        )
    if not np.isfinite([image.min(), image.max()]).all():
        raise InputError("the image holds values that are not finite numbers")


def _check_range(image: np.ndarray) -> None:
    """Refuses floats that cannot be in [0, 255], give or take what a filter adds."""
    low, high = image.min(), image.max()
    if low == high == 0 or (low > -128 and 1 < high < 383):
        return
    raise InputError(
        f"holds floats from {low:.6g} to {high:.6g}, which do not seem to be in "
        "[0, 255]; give the value of white, such as 1, and let black be 0",
        field="data_range",
    )


def _is_positive(number: Any) -> bool:
    is_number = isinstance(number, numbers.Real) and not isinstance(number, bool)
    return is_number and 0 < number < float("inf")


def _array_of(
    samples: np.ndarray, image: np.ndarray, data_range: float | None
) -> np.ndarray:
    """The samples of a Picture as an array like this image."""
    if data_range is not None:
        samples = samples * (data_range / 255)
        samples = np.rint(samples) if image.dtype.kind == "u" else samples
    samples = samples.astype(image.dtype, copy=False)
    return samples[..., 0] if image.ndim == 2 else samples


def _pillow_of(picture: Picture) -> Image.Image:
    samples = picture.samples
    if samples.dtype == np.uint16 and samples.shape[-1] > 1:
        samples = np.rint(samples / 257).astype(np.uint8)  # Pillow has no 16-bit colors
    image = to_pillow(samples)
    what = picture.attached
    kept = {
        "icc_profile": picture.icc_profile,
        "exif": picture.exif,
        "dpi": picture.dpi,
        "xmp": what.xmp,
        "comment": b"\n".join(what.comments),
        **{keyword(body): text_of(kind, body) for kind, body in what.texts},
    }
    image.info.update({name: value for name, value in kept.items() if value})
    return image
