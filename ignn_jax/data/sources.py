"""Where images come from: a spec of the config becomes decoded images.

A spec is `photos` (the photographs that scikit-image carries in its wheel) or
`folder:PATH`. Images are uint8 [H, W, 3], RGB, each decoded once.
"""

import hashlib
import pathlib
from collections.abc import Callable
from concurrent import futures
from typing import NamedTuple

import numpy as np
import skimage

from ignn_jax.data.images import list_images, read_rgb
from ignn_jax.errors import InputError

# Only natural color photographs: not the microscope's, the telescope's or the eye
# clinic's pictures. And only the left one of the stereo pair of a motorcycle: the right
# one shows the same scene, and would give away a validation image to the training set.
_PHOTOS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


class ImageSet(NamedTuple):
    """Decoded images, and what could not be used.

    Attributes:
      names: one per image, unique; below a folder, the path relative to it.
      images: uint8 [H, W, 3] each.
      left_out: (name, reason) of every image that was found and is not used.
    """

    names: tuple[str, ...]
    images: tuple[np.ndarray, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def load_images(spec: str) -> ImageSet:
    """Decodes the images that a spec names; a damaged file is left out, not fatal.

    Args:
      spec: `photos` or `folder:PATH`.

    Returns:
      The images in the order of their names, at least one.

    Raises:
      InputError: the spec is of no known kind, its folder is missing or holds no
        image, or not one of the images can be read.
    """
    files = _find_files(spec)
    # Decoders release the GIL. The pool keeps the order, whoever finishes first.
    with futures.ThreadPoolExecutor() as pool:
        decoded = list(pool.map(_read_or_reason, files.values()))
    outcomes = dict(zip(files, decoded, strict=True))
    read = {k: v for k, v in outcomes.items() if isinstance(v, np.ndarray)}
    left_out = tuple((k, v) for k, v in outcomes.items() if k not in read)
    if not read:
        name, reason = left_out[0]
        raise InputError(f"{spec}: no usable image; the first is {name}: {reason}")
    return ImageSet(tuple(read), tuple(read.values()), left_out)


def load_train_and_validation(train: str, validation: str) -> tuple[ImageSet, ImageSet]:
    """Loads both sets, such that no image is in both.

    Args:
      train: a spec as of `load_images`.
      validation: another spec, or `split:FRACTION` to hold out that part of `train`.

    Returns:
      The training set and the validation set. Training images that are equal to a
      validation image, pixel by pixel, are in the training set's `left_out`.

    Raises:
      InputError: as `load_images`; the fraction is not one; nothing is left to train
        on.
    """
    images = load_images(train)
    kind, _, argument = validation.partition(":")
    if kind == "split":
        images, held_out = hold_out(images, _parse_fraction(argument))
    else:
        held_out = load_images(validation)
    seen = {_fingerprint(image) for image in held_out.images}
    images = _leave_out(
        images,
        lambda image: _fingerprint(image) in seen,
        "is in the validation set",
    )
    if not images.images:
        raise InputError(
            f"data.train={train}: every image is in data.validation={validation} too; "
            "give different images, or data.validation=split:0.1"
        )
    return images, held_out


def hold_out(images: ImageSet, fraction: float) -> tuple[ImageSet, ImageSet]:
    """Splits off an evenly spaced part, the same one each time.

    Args:
      images: at least two.
      fraction: the part to hold out, in (0, 1): 0.1 takes every tenth image, from the
        middle of its ten. At least one image goes to either side.

    Returns:
      (the rest with the `left_out` of `images`, the part held out).

    Raises:
      InputError: there is only one image.
    """
    total = len(images.images)
    if total < 2:
        raise InputError(
            "one image cannot be split into training and validation; "
            "add images, or set data.validation to another source"
        )
    count = min(max(round(total * fraction), 1), total - 1)
    held_out = {(2 * i + 1) * total // (2 * count) for i in range(count)}
    rest = [i for i in range(total) if i not in held_out]
    return (
        _take(images, rest)._replace(left_out=images.left_out),
        _take(images, sorted(held_out)),
    )


def drop_small(images: ImageSet, side: int) -> ImageSet:
    """Leaves out the images that are lower or narrower than `side` pixels.

    Args:
      images: any.
      side: the smallest height and width to keep: for training, the HR patch's side.

    Returns:
      The others, at least one, the small ones named in `left_out`.

    Raises:
      InputError: every image is smaller.
    """
    large = _leave_out(
        images,
        lambda image: min(image.shape[:2]) < side,
        f"is smaller than {side} x {side}",
    )
    if not large.images:
        raise InputError(
            f"each of the {len(images.images)} images is smaller than {side} x {side}; "
            "give larger images or lower data.lr_patch"
        )
    return large


def _find_files(spec: str) -> dict[str, pathlib.Path]:
    """The files of a spec by name, sorted."""
    kind, _, argument = spec.partition(":")
    if spec == "photos":
        folder = pathlib.Path(skimage.__file__).parent / "data"
        return {name: folder / name for name in _PHOTOS}
    if kind == "folder" and argument:
        folder = pathlib.Path(argument).expanduser()
        return {p.relative_to(folder).as_posix(): p for p in list_images(folder)}
    raise InputError(f"unknown image source '{spec}': give photos or folder:PATH")


def _read_or_reason(path: pathlib.Path) -> np.ndarray | str:
    try:
        return read_rgb(path)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ")


def _parse_fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction < 1:
        raise InputError(
            f"data.validation=split:{text}: give a fraction between 0 and 1, "
            "such as split:0.1"
        )
    return fraction


def _fingerprint(image: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return image.shape, hashlib.sha256(image).digest()


def _leave_out(
    images: ImageSet, unwanted: Callable[[np.ndarray], bool], reason: str
) -> ImageSet:
    dropped = [i for i, image in enumerate(images.images) if unwanted(image)]
    kept = _take(images, sorted(set(range(len(images.images))).difference(dropped)))
    reasons = tuple((images.names[i], reason) for i in dropped)
    return kept._replace(left_out=images.left_out + reasons)


def _take(images: ImageSet, indices: list[int]) -> ImageSet:
    return ImageSet(
        tuple(images.names[i] for i in indices),
        tuple(images.images[i] for i in indices),
    )
