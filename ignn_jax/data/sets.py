"""The training set and the validation set.

Sizes are in HR pixels unless said otherwise.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ignn_jax.data.cache import load_pairs
from ignn_jax.data.own import validation_source
from ignn_jax.data.pairs import Pair, PairSet
from ignn_jax.data.sources import find_images
from ignn_jax.data.splits import Mark, find_marked, hold_out, split
from ignn_jax.errors import InputError

# The smallest side of a validation image in LR pixels.
_SMALLEST = 16


def load_sets(
    train: str,
    validation: str = "split:0.1",
    *,
    scale: int,
    lr_patch: int,
    cache: str = "",
    kept: Sequence[Mark] = (),
) -> tuple[PairSet, PairSet]:
    """Loads a training set and a validation set that have no image in common.

    Args:
      train: where images come from, such as "photos", "folder:PATH" or
        "tfds:div2k/bicubic_x2"; see `ignn_jax.data.sources`.
      validation: the same; "split:FRACTION" to hold out this part of `train`, as
        `hold_out` does; or "own" for its own validation images, as DIV2K's.
      scale: the HR side over the LR side: 2, 3 or 4.
      lr_patch: side of the LR crops; smaller training images are left out.
      cache: folder for decoded images; "" means the user's cache folder.
      kept: marks of the validation images of a run that goes on. They are held out
        again, and never trained on, whatever `validation` is.

    Returns:
      The training set and the validation set. Training images that equal a validation
      image, pixel by pixel, are in the `left_out` of the training set.

    Raises:
      InputError: a source is not known, missing, empty or unusable, the fraction is
        not one, nothing is left to train on, or the cache cannot be written.
    """
    validation = validation_source(train, validation)
    fraction = parse_fraction(validation)
    images = load_set(train, scale=scale, cache=cache)
    if fraction is None:
        held_out = load_set(validation, scale=scale, cache=cache)
    else:
        marked = find_marked(images, kept, by_name=True)
        images, held_out = (
            split(images, marked) if marked else hold_out(images, fraction)
        )
    images = drop_equal(images, held_out)
    images, known = split(images, find_marked(images, kept))
    known_names = [(pair.name, "was validated on before") for pair in known]
    images = PairSet(images, images.left_out + known_names, images.lr)
    if not images:
        raise InputError(
            f"{train}: every image is in the validation set {validation} too; give "
            "different images, or split:0.1 for the validation",
            field="data.train",
        )
    images = drop_small(images, lr_patch * scale)
    return images, drop_small(held_out, _SMALLEST * scale)


def load_set(spec: str, *, scale: int, cache: str = "") -> PairSet:
    """Loads the images that a spec names, at both resolutions.

    Args:
      spec: as `train` of `load_sets`.
      scale: the HR side over the LR side.
      cache: as in `load_sets`.

    Raises:
      InputError: as `find_images` and `load_pairs`, or no image at all is usable.
    """
    source = find_images(spec, scale=scale)
    images = load_pairs(source.images, scale=scale, folder=cache)
    left_out = source.left_out + images.left_out
    if not images:
        name, reason = left_out[0]
        raise InputError(f"{spec}: no usable image; the first is {name}: {reason}")
    return PairSet(images, left_out, source.lr)


def drop_small(images: PairSet, side: int) -> PairSet:
    """Leaves out images whose height or width is less than `side` HR pixels.

    Args:
      images: the set.
      side: the smallest height and width to keep; for training, the side of HR crops.

    Returns:
      The other images, at least one, with the small ones in `left_out`.

    Raises:
      InputError: every image is too small.
    """
    large = _leave_out(
        images,
        lambda pair: min(pair.hr.shape[:2]) < side,
        f"is smaller than {side} x {side}",
    )
    if not large:
        raise InputError(
            f"each of the {len(images)} images is smaller than {side} x {side}; "
            "give larger images or lower data.lr_patch"
        )
    return large


def drop_equal(images: PairSet, others: Sequence[Pair]) -> PairSet:
    """Leaves out images that equal one of the others, pixel by pixel."""
    # Comparing 800 whole images takes a while, and the middle row tells most apart.
    by_row: dict[bytes, list[np.ndarray]] = {}
    for pair in others:
        by_row.setdefault(_middle_row(pair), []).append(pair.hr)
    return _leave_out(
        images,
        lambda pair: any(
            np.array_equal(pair.hr, other)
            for other in by_row.get(_middle_row(pair), [])
        ),
        "is in the validation set",
    )


def parse_fraction(validation: str) -> float | None:
    """The fraction of "split:FRACTION"; None for a source.

    Raises:
      InputError: it is not between 0 and 1.
    """
    kind, _, text = validation.partition(":")
    if kind != "split":
        return None
    try:
        fraction = float(text)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction < 1:
        raise InputError(
            f"split:{text}: give a fraction between 0 and 1, such as split:0.1",
            field="data.validation",
        )
    return fraction


def _middle_row(pair: Pair) -> bytes:
    return pair.hr[len(pair.hr) // 2].tobytes()


def _leave_out(
    images: PairSet, unwanted: Callable[[Pair], bool], reason: str
) -> PairSet:
    kept: list[Pair] = []
    dropped: list[Pair] = []
    for pair in images:
        (dropped if unwanted(pair) else kept).append(pair)
    left_out = images.left_out + [(pair.name, reason) for pair in dropped]
    return PairSet(kept, left_out, images.lr)
