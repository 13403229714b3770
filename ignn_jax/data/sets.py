"""The training set and the validation set."""

from ignn_jax.data.cache import load_pairs
from ignn_jax.data.pairs import PairSet, drop_equal, drop_small, hold_out
from ignn_jax.data.sources import find_images
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
) -> tuple[PairSet, PairSet]:
    """Loads a training set and a validation set that have no image in common.

    Args:
      train: where images come from, such as "photos", "folder:PATH" or
        "tfds:div2k/bicubic_x2"; see `ignn_jax.data.sources`.
      validation: the same, or "split:FRACTION" to hold out this part of `train`.
      scale: the HR side over the LR side: 2, 3 or 4.
      lr_patch: side of the LR crops; smaller training images are left out.
      cache: folder for decoded images; "" means the user's cache folder.

    Returns:
      The training set and the validation set. Training images that equal a validation
      image, pixel by pixel, are in the `left_out` of the training set.

    Raises:
      InputError: a source is not known, missing, empty or unusable, the fraction is
        not one, nothing is left to train on, or the cache cannot be written.
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
            f"split:{text}: give a fraction between 0 and 1, such as split:0.1",
            field="data.validation",
        )
    return fraction
