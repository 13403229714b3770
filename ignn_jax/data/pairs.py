"""Images at both resolutions.

Arrays are uint8, channels last, RGB in [0, 255]. HR is `scale` times as high and as
wide as LR.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

import numpy as np


class Pair(NamedTuple):
    """An image at both resolutions. The arrays are often mapped files, and read-only.

    Attributes:
      name: unique in its set.
      lr: uint8 [H, W, 3].
      hr: uint8 [scale * H, scale * W, 3].
      origin: where LR comes from: "given", "given, cut" or "made".
      weight: how often it is drawn, relative to the others in its set.
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
      lr: where the LR images of each source come from, in words.
    """

    def __init__(
        self,
        pairs: Iterable[Pair],
        left_out: Iterable[tuple[str, str]] = (),
        lr: Iterable[str] = (),
    ) -> None:
        self._pairs = list(pairs)
        self.left_out = list(left_out)
        self.lr = list(lr)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index):
        return self._pairs[index]

    def __len__(self) -> int:
        return len(self._pairs)


def cut_to_scale(hr: np.ndarray, scale: int) -> np.ndarray:
    """A view without the last rows and columns that do not make up a whole LR pixel."""
    height, width = (n // scale * scale for n in hr.shape[:2])
    return hr[:height, :width]


def match_lr(
    lr: np.ndarray, hr: np.ndarray, *, scale: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Cuts HR to a multiple of the scale, and LR to the same part of the image.

    Args:
      lr: uint8 [H, W, 3], made of the whole HR image, its size rounded down or up.
      hr: uint8 [about scale * H, about scale * W, 3].
      scale: the HR side over the LR side.

    Returns:
      Views of LR and of HR, and the origin of LR: "given" or "given, cut".

    Raises:
      ValueError: the sizes do not match.
    """
    full = hr.shape[:2]
    height, width = (n // scale for n in full)
    for n, small in zip(full, lr.shape[:2], strict=True):
        if small not in (n // scale, -(-n // scale)):
            raise ValueError(
                f"is {lr.shape[1]} x {lr.shape[0]}, but 1/{scale} of the HR image "
                f"({full[1]} x {full[0]}) is {width} x {height}"
            )
    cut = lr[:height, :width]
    origin = "given" if cut.shape == lr.shape else "given, cut"
    return cut, cut_to_scale(hr, scale), origin
