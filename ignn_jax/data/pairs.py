"""Training images at both resolutions, and what is done to sets of them.

Arrays are uint8, channels last, RGB in [0, 255]; HR is `scale` times LR.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, overload

import numpy as np

from ignn_jax.errors import InputError


class Pair(NamedTuple):
    """An image at both resolutions, most often mapped from the cache and read-only.

    Attributes:
      name: unique in its set.
      lr: uint8 [H, W, 3].
      hr: uint8 [H * scale, W * scale, 3].
      origin: where LR comes from: "given", "given, cut" or "made".
      weight: how often it is drawn, in parts of the set's sum.
    """

    name: str
    lr: np.ndarray
    hr: np.ndarray
    origin: str = "made"
    weight: int = 1


class PairSet(Sequence[Pair]):
    """A sequence of pairs that also knows what could not be used.

    Attributes:
      left_out: (name, reason) of every image that was found and is not used.
    """

    def __init__(
        self, pairs: Iterable[Pair], left_out: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._pairs = list(pairs)
        self.left_out = list(left_out)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index):
        return self._pairs[index]

    def __len__(self) -> int:
        return len(self._pairs)


def hold_out(images: PairSet, fraction: float) -> tuple[PairSet, PairSet]:
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
    total = len(images)
    if total < 2:
        raise InputError(
            "one image cannot be split into training and validation; "
            "add images, or set data.validation to another source"
        )
    count = min(max(round(total * fraction), 1), total - 1)
    held_out = {(2 * i + 1) * total // (2 * count) for i in range(count)}
    rest = [pair for i, pair in enumerate(images) if i not in held_out]
    return (
        PairSet(rest, images.left_out),
        PairSet(images[i] for i in sorted(held_out)),
    )


def drop_small(images: PairSet, side: int) -> PairSet:
    """Leaves out the images that are lower or narrower than `side` HR pixels.

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
    """Leaves out the images that are equal, pixel by pixel, to one of the others."""
    # The middle row tells most apart: to compare 800 files in whole takes a while.
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


def _middle_row(pair: Pair) -> bytes:
    return pair.hr[len(pair.hr) // 2].tobytes()


def _leave_out(
    images: PairSet, unwanted: Callable[[Pair], bool], reason: str
) -> PairSet:
    kept: list[Pair] = []
    dropped: list[Pair] = []
    for pair in images:
        (dropped if unwanted(pair) else kept).append(pair)
    return PairSet(kept, images.left_out + [(pair.name, reason) for pair in dropped])
