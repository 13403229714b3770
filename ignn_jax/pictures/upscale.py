"""Upscaling one picture: gray, alpha, depth and the wanted size."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy  # ndimage is imported when it is used: it takes a while

from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.lasting import resized
from ignn_jax.pictures.picture import Picture, quantize, to_gray

Progress = Callable[[Sequence], Iterable]

# Pixels that a picture is continued by on each side, as in a mirror. Networks know
# zeros beyond the image, which stain strong colors: a flat red picture came out up to
# 55 of 255 levels off in its corners. From 6 pixels on nothing is left of it, and PSNR
# is the same (experiments/borders.py).
MIRRORED = 8


class Network(NamedTuple):
    """An upscaler of a fixed scale, such as a network that is ready to run.

    Attributes:
      run: `run(image, progress=progress)` upscales float32 [H, W, 3] in [0, 255] to
        float32 [scale * H, scale * W, 3]; `progress` wraps the sequence of tiles that
        it works through, like `tqdm.tqdm`.
      scale: output size over input size.
      label: its name for users.
    """

    run: Callable[..., np.ndarray]
    scale: int
    label: str = "network"


def upscale_picture(
    network: Network,
    picture: Picture,
    *,
    end_size: EndSize = EndSize(),  # noqa: B008, immutable
    progress: Progress = iter,
) -> Picture:
    """Upscales a picture by a network, then by bicubic to the end size if they differ.

    Transparency goes through the network as a gray picture of its own. Its edges come
    out as crisp as those of the colors, and each value stays within the range of the
    3 x 3 pixels around it, so that opaque areas stay opaque. Invisible pixels have
    arbitrary colors, often black, which the network would smear over the visible edge:
    they take the nearest visible color first. (Premultiplied colors are no way out: the
    network sharpens them differently from alpha, and dividing leaves fringes. Bicubic
    is linear, so there they are used.)

    A picture that is not to become larger bypasses the network. At its edges the
    network sees it mirrored.

    Args:
      network: of any scale.
      picture: of [H, W, C] samples.
      end_size: of the result.
      progress: as for `Network.run`.

    Returns:
      The picture in its end size, with the same channels, dtype and metadata, and with
      a note if bicubic enlarged it by more than the square root of 2.

    Raises:
      InputError: the network returned values that are not finite.
    """
    samples, scale = picture.samples, network.scale
    has_alpha, is_gray = samples.shape[-1] in (2, 4), samples.shape[-1] < 3
    size = end_size.of(*samples.shape[:2], scale=scale)
    notes = _notes(samples.shape[:2], size, scale)
    colors, alpha = _split(samples, has_alpha)
    if size[0] > samples.shape[0] or size[1] > samples.shape[1]:
        if alpha is not None:
            colors = _bleed(colors, alpha)
            alpha = _upscale_alpha(network, alpha, progress)
        colors = _run(network, colors, progress)
        colors = to_gray(colors) if is_gray else colors
    if colors.shape[:2] != size:
        colors, alpha = _resize(colors, alpha, size)
    result = _join(colors, alpha, samples.dtype)
    upscaled = picture._replace(samples=result, notes=picture.notes + notes)
    return resized(upscaled, samples.shape)


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resizes a picture to (height, width) by bicubic alone."""
    samples = picture.samples
    colors, alpha = _split(samples, samples.shape[-1] in (2, 4))
    result = _join(*_resize(colors, alpha, size), samples.dtype)
    return picture._replace(samples=result)


def view_picture(picture: Picture) -> np.ndarray:
    """The picture as seen on a white page: uint8 RGB [H, W, 3]."""
    samples = picture.samples
    colors, alpha = _split(samples, samples.shape[-1] in (2, 4))
    if alpha is not None:
        opacity = alpha / 255
        colors = colors * opacity + 255 * (1 - opacity)
    return np.broadcast_to(quantize(colors, np.uint8), (*samples.shape[:2], 3))


def _notes(
    before: tuple[int, ...], after: tuple[int, int], scale: int
) -> tuple[str, ...]:
    factor = max(n / m for n, m in zip(after, before, strict=True))
    if factor <= 1:
        return ("is not enlarged, so the network has nothing to do",)
    if factor > scale * math.sqrt(2):
        return (f"is enlarged x{factor:g}: x{scale} by the network, the rest bicubic",)
    return ()


def _split(
    samples: np.ndarray, has_alpha: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Colors and alpha, each [H, W, 1 or 3] float32 in [0, 255]."""
    unit = 1.0
    if np.issubdtype(samples.dtype, np.integer):
        unit = 255 / np.iinfo(samples.dtype).max
    samples = samples.astype(np.float32)
    samples *= np.float32(unit)
    return (samples[..., :-1], samples[..., -1:]) if has_alpha else (samples, None)


def _join(colors: np.ndarray, alpha: np.ndarray | None, dtype: Any) -> np.ndarray:
    """The opposite of `_split`."""
    result = quantize(colors, dtype)
    if alpha is None:
        return result
    return np.concatenate([result, quantize(alpha, dtype)], axis=-1)


def _run(network: Network, image: np.ndarray, progress: Progress) -> np.ndarray:
    """[H, W, 1 or 3] to [scale * H, scale * W, 3]."""
    margins = ((MIRRORED, MIRRORED), (MIRRORED, MIRRORED), (0, 0))
    image = np.pad(image, margins, mode="symmetric")
    image = np.broadcast_to(image, (*image.shape[:2], 3))
    upscaled = network.run(image, progress=progress)
    margin = network.scale * MIRRORED
    upscaled = upscaled[margin:-margin, margin:-margin]
    if not np.isfinite([upscaled.min(), upscaled.max()]).all():
        raise InputError("the network returned values that are not finite numbers")
    return upscaled


def _upscale_alpha(
    network: Network, alpha: np.ndarray, progress: Progress
) -> np.ndarray:
    height, width, _ = alpha.shape
    scale = network.scale
    if alpha.min() == alpha.max():
        return np.full((scale * height, scale * width, 1), alpha[0, 0], np.float32)
    low, high = (
        extreme(alpha, (3, 3, 1))[:, None]
        for extreme in (scipy.ndimage.minimum_filter, scipy.ndimage.maximum_filter)
    )
    upscaled = to_gray(_run(network, alpha, progress))
    blocks = upscaled.reshape(height, scale, width, scale)
    np.clip(blocks, low, high, out=blocks)
    return upscaled


def _bleed(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Gives invisible pixels the color of the nearest visible pixel, if any."""
    invisible = alpha[..., 0] == 0
    if invisible.all() or not invisible.any():
        return colors
    nearest = scipy.ndimage.distance_transform_edt(
        invisible, return_distances=False, return_indices=True
    )
    return colors[tuple(nearest)]


def _resize(
    colors: np.ndarray, alpha: np.ndarray | None, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Resizes both by bicubic, with each color weighted by its alpha."""
    if alpha is None:
        return _bicubic(colors, size), None
    colors = _bicubic(colors * alpha, size)
    alpha = _bicubic(alpha, size).clip(0, 255)
    return colors / np.maximum(alpha, 1e-3), alpha


def _bicubic(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Channel by channel, since copies of a large picture would fill the memory."""
    return np.stack(
        [imresize(image[..., c], size=size) for c in range(image.shape[-1])], axis=-1
    )
