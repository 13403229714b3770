"""The training set and the validation set that a config names."""

from ignn_jax.data.cache import load_pairs
from ignn_jax.data.pairs import PairSet, drop_equal, drop_small, hold_out
from ignn_jax.data.sources import find_images
from ignn_jax.errors import InputError

# Of a validation image, at low resolution.
_SMALLEST = 16


def load_sets(
    train: str,
    validation: str = "split:0.1",
    *,
    scale: int,
    lr_patch: int,
    cache: str = "",
) -> tuple[PairSet, PairSet]:
    """Loads both sets, such that no image is in both.

    Args:
      train: a spec as of `find_images`.
      validation: another spec, or `split:FRACTION` to hold out that part of `train`.
      scale: the HR side over the LR side.
      lr_patch: side of the LR crops; smaller training images are left out.
      cache: as `load_pairs` has it.

    Returns:
      The training set and the validation set. Training images that are equal to a
      validation image, pixel by pixel, are in the training set's `left_out`.

    Raises:
      InputError: as `load_set` and `hold_out`; the fraction is not one; nothing is left
        to train on.
    """
    kind, _, argument = validation.partition(":")
    fraction = _parse_fraction(argument) if kind == "split" else None
    images = load_set(train, scale=scale, cache=cache)
    if fraction is None:
        held_out = load_set(validation, scale=scale, cache=cache)
    else:
        images, held_out = hold_out(images, fraction)
    images = drop_equal(images, held_out)
    if not images:
        raise InputError(
            f"data.train={train}: every image is in data.validation={validation} too; "
            "give different images, or data.validation=split:0.1"
        )
    images = drop_small(images, lr_patch * scale)
    return images, drop_small(held_out, _SMALLEST * scale)


def load_set(spec: str, *, scale: int, cache: str = "") -> PairSet:
    """The images that a spec names, at both resolutions.

    Raises:
      InputError: as `find_images` and `load_pairs`, or not one image is usable.
    """
    source = find_images(spec, scale=scale)
    images = load_pairs(source.images, scale=scale, folder=cache)
    if not images:
        name, reason = images.left_out[0]
        raise InputError(f"{spec}: no usable image; the first is {name}: {reason}")
    return PairSet(images, source.left_out + images.left_out)


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
