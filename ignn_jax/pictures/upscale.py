"""One picture through a network: gray, alpha, depth and the size that is wanted."""

import functools
import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import jax
import numpy as np
import scipy  # whose parts are imported when they are used, as ndimage slowly
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.inference.tiles import TiledNetwork
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.files import (
    Picture,
    from_pillow,
    quantize,
    to_gray,
    to_pillow,
)
from ignn_jax.weights.find import default_weights, find_weights
from ignn_jax.weights.network import load

Progress = Callable[[Sequence], Iterable]


class Network(NamedTuple):
    """A network ready to run.

    Attributes:
      run: `run(image, progress=progress)` upscales float32 [H, W, 3] in [0, 255] to
        float32 [scale * H, scale * W, 3]; `progress` wraps the sequence of tiles while
        they are worked through, as `tqdm.tqdm` does.
      scale: how much larger its result is.
      label: what to call it.
    """

    run: Callable[..., np.ndarray]
    scale: int
    label: str = "network"


class EndSize(NamedTuple):
    """How large pictures shall become; by the network's scale if nothing is given.

    Attributes:
      factor: how much wider and higher.
      width: in pixels, with the height in proportion.
      height: with `width` a box that the picture shall fit into, in proportion.
    """

    factor: float | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def given(
        cls,
        outscale: float | None = None,
        size: tuple[int, int] | None = None,
        width: int | None = None,
    ) -> "EndSize":
        """From the options that users have: a factor, (width, height), or a width.

        Raises:
          InputError: more than one is given, or one is not positive.
        """
        if sum(option is not None for option in (outscale, size, width)) > 1:
            raise InputError("give only one of outscale, size and width")
        end_size = cls(outscale, *(size or (width,)))
        if not all(x is None or 0 < x < math.inf for x in end_size):
            raise InputError(
                f"outscale {outscale}, size {size}, width {width}: must be positive"
            )
        return end_size

    def of(self, height: int, width: int, *, scale: int) -> tuple[int, int]:
        """The end size, (height, width), of a picture of this size."""
        factor = self.factor or scale
        if self.width:
            factor = self.width / width
            if self.height:
                factor = min(factor, self.height / height)
        return tuple(max(1, math.floor(factor * n + 0.5)) for n in (height, width))

    def label(self, scale: int) -> str:
        """It in a file's name: x2, x2.5, 3840x2160 or w1920."""
        if self.height:
            return f"{self.width}x{self.height}"
        return f"w{self.width}" if self.width else f"x{self.factor or scale:g}"


def load_network(
    weights: str | os.PathLike,
    *,
    scale: int | None = None,
    tile: int | str | None = "auto",
    ensemble: bool = False,
    device: str | None = None,
    dtype: str | None = None,
) -> Network:
    """The network of a weights file, of a run's workdir, or of the package's own.

    Args:
      weights: the file, the workdir, or the name of weights that come with the package.
      scale: what the network's must be; None for any.
      tile: side of the tiles in pixels; "auto"; None for whole pictures.
      ensemble: average over the 8 flips and rotations (IGNN+).
      device: "cpu", "gpu" or "tpu"; None for JAX's choice.
      dtype: of the convolutions, "float32" or "bfloat16"; None for the weights' own.

    Raises:
      InputError: as `load`, or for another scale, a wrong tile, or a device
        that is not here.
    """
    model, variables = load(weights)
    if scale not in (None, model.scale):
        raise InputError(
            f"scale {scale}: {weights} is a network for x{model.scale}; give other "
            "weights, or no scale"
        )
    if dtype:
        model = model.clone(dtype=dtype)
    tiled = TiledNetwork(model, variables, tile=tile, devices=_devices(device))
    run = _over_orientations(tiled) if ensemble else tiled
    return Network(run, model.scale, type(model).__name__ + "+" * ensemble)


def _devices(kind: str | None) -> Sequence[jax.Device] | None:
    if kind is None:
        return None
    try:
        return jax.local_devices(backend=kind)
    except RuntimeError as error:
        raise InputError(
            f"device {kind}: JAX finds none here, only {jax.default_backend()}; "
            "see the README on how to install it for GPUs and TPUs"
        ) from error


def _over_orientations(run):
    def averaged(image, *, progress=iter):
        return self_ensemble(functools.partial(run, progress=progress))(image)

    return averaged


def upscale_picture(
    network: Network,
    picture: Picture,
    *,
    end_size: EndSize = EndSize(),  # noqa: B008, immutable
    progress: Progress = iter,
) -> Picture:
    """Upscales a picture by a network, and by bicubic to the end size if it is another.

    Transparency goes through the network as a gray picture of its own: edges come out
    as crisp as those of the colors, and stay within the range of the 3 x 3 pixels
    around, so that what is opaque remains so. Invisible pixels hold arbitrary colors,
    often black, which the network would smear over the border of what is visible: they
    take the nearest visible color first. (Through the network, premultiplied colors
    come out with fringes: it sharpens them otherwise than the alpha that they are then
    divided by.) Bicubic, which is linear, is run on premultiplied colors.

    A picture that shall not become larger does not meet the network.

    Args:
      network: of any scale.
      picture: of [H, W, C] samples.
      end_size: of the result.
      progress: as `Network.run` takes it.

    Returns:
      The picture of the end size and of the same channels and dtype, what is not
      pixels as it was, and a note where bicubic did more than the square root of 2.

    Raises:
      InputError: the network returned values that are not finite.
    """
    samples, scale = picture.samples, network.scale
    has_alpha, is_gray = samples.shape[-1] in (2, 4), samples.shape[-1] < 3
    size = end_size.of(*samples.shape[:2], scale=scale)
    notes = _notes(samples.shape[:2], size, scale)
    colors, alpha = _split(samples, has_alpha)
    if size[0] > samples.shape[0] or size[1] > samples.shape[1]:
        if has_alpha:
            colors = _bleed(colors, alpha)
            alpha = _upscale_alpha(network, alpha, progress)
        colors = _run(network, colors, progress)
        colors = to_gray(colors) if is_gray else colors
    if colors.shape[:2] != size:
        colors, alpha = _resize(colors, alpha, size)
    result = _join(colors, alpha, samples.dtype)
    return picture._replace(samples=result, notes=picture.notes + notes)


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resizes a picture to (height, width) by bicubic alone."""
    samples = picture.samples
    colors, alpha = _split(samples, samples.shape[-1] in (2, 4))
    result = _join(*_resize(colors, alpha, size), samples.dtype)
    return picture._replace(samples=result)


def view_picture(picture: Picture) -> np.ndarray:
    """What a screen shows of a picture, on white: uint8 RGB [H, W, 3]."""
    samples = picture.samples
    colors, alpha = _split(samples, samples.shape[-1] in (2, 4))
    if alpha is not None:
        opacity = alpha / 255
        colors = colors * opacity + 255 * (1 - opacity)
    return np.broadcast_to(quantize(colors, np.uint8), (*samples.shape[:2], 3))


def _notes(before: tuple[int, int], after: tuple[int, int], scale: int):
    factor = max(n / m for n, m in zip(after, before, strict=True))
    if factor <= 1:
        return ("is not enlarged, so the network has nothing to do",)
    if factor > scale * math.sqrt(2):
        return (f"is enlarged x{factor:g}: x{scale} by the network, the rest bicubic",)
    return ()


def _split(samples, has_alpha):
    """Colors and alpha, each [H, W, 1 or 3] float32 in [0, 255]."""
    unit = 1.0
    if np.issubdtype(samples.dtype, np.integer):
        unit = 255 / np.iinfo(samples.dtype).max
    samples = samples.astype(np.float32)
    samples *= np.float32(unit)
    return (samples[..., :-1], samples[..., -1:]) if has_alpha else (samples, None)


def _join(colors, alpha, dtype):
    """The samples of both."""
    result = quantize(colors, dtype)
    if alpha is None:
        return result
    return np.concatenate([result, quantize(alpha, dtype)], axis=-1)


def _run(network, image, progress):
    """[H, W, 1 or 3] to [scale * H, scale * W, 3]."""
    image = np.broadcast_to(image, (*image.shape[:2], 3))
    upscaled = network.run(image, progress=progress)
    if not np.isfinite([upscaled.min(), upscaled.max()]).all():
        raise InputError("the network returned values that are not finite numbers")
    return upscaled


def _upscale_alpha(network, alpha, progress):
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


def _bleed(colors, alpha):
    """Gives invisible pixels the color of the nearest that is visible, if any is."""
    invisible = alpha[..., 0] == 0
    if invisible.all() or not invisible.any():
        return colors
    nearest = scipy.ndimage.distance_transform_edt(
        invisible, return_distances=False, return_indices=True
    )
    return colors[tuple(nearest)]


def _resize(colors, alpha, size):
    """Both by bicubic interpolation, each color weighted by its alpha."""
    if alpha is None:
        return _bicubic(colors, size), None
    colors = _bicubic(colors * alpha, size)
    alpha = _bicubic(alpha, size).clip(0, 255)
    return colors / np.maximum(alpha, 1e-3), alpha


def _bicubic(image, size):
    """Channel by channel, since of large pictures the copies fill the memory."""
    return np.stack(
        [imresize(image[..., c], size=size) for c in range(image.shape[-1])], axis=-1
    )


def upscale_image(
    image: Image.Image | np.ndarray,
    *,
    weights: str | os.PathLike | None = None,
    scale: int | None = None,
    end_size: EndSize = EndSize(),  # noqa: B008, immutable
    tile: int | str | None = "auto",
    ensemble: bool = False,
    device: str | None = None,
    dtype: str | None = None,
) -> Image.Image | np.ndarray:
    """`ignn_jax.upscale`, which see; the last two networks are kept for the next call.

    Raises:
      InputError: as `default_weights`, `load_network` and `upscale_picture`, or the
        image is not one.
    """
    picture = _picture_of(image)
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
def _cached_network(weights, changed, scale, tile, ensemble, device, dtype):
    return load_network(
        weights, scale=scale, tile=tile, ensemble=ensemble, device=device, dtype=dtype
    )


def _picture_of(image):
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise InputError(f"the image is empty: {image.width} x {image.height}")
        try:
            return from_pillow(image)
        except ValueError as error:
            raise InputError(f"the image cannot be taken: {error}") from error
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


def _pillow_of(picture):
    samples = picture.samples
    if samples.dtype == np.uint16 and samples.shape[-1] > 1:  # of which Pillow has none
        samples = np.rint(samples / 257).astype(np.uint8)
    image = to_pillow(samples)
    kept = {
        "icc_profile": picture.icc_profile,
        "exif": picture.exif,
        "dpi": picture.dpi,
    }
    image.info.update({name: value for name, value in kept.items() if value})
    return image
