"""Where a network's image is better than bicubic's, and a sheet of such crops.

Arrays are uint8 RGB [H, W, 3].
"""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from ignn_jax.evaluation.scores import Evaluated
from ignn_jax.pictures.crops import SIDE, draw_sheet


def side_by_side(evaluated: Iterable[Evaluated]) -> Image.Image:
    """A row for each image: bicubic, networks and original.

    The crop is where the first network gains most on bicubic.

    Args:
      evaluated: one or more pairs, by bicubic and one or more networks.
    """
    rows = []
    for pair, images, scores in evaluated:
        bicubic, sr, *_ = images.values()
        where = largest_gain(sr, bicubic, pair.hr, side=SIDE)
        captions = [f"{method}: {score}" for method, score in scores.items()]
        crops = [image[where] for image in (*images.values(), pair.hr)]
        rows.append(list(zip([*captions, pair.name], crops, strict=True)))
    return draw_sheet(rows)


def largest_gain(
    better: np.ndarray, worse: np.ndarray, hr: np.ndarray, *, side: int
) -> tuple[slice, slice]:
    """Rows and columns of the square in which `better` improves most on `worse`.

    Args:
      better, worse: two images to compare with the original.
      hr: the original.
      side: of the square in pixels; a smaller image is taken whole.
    """
    better, worse, hr = (image.astype(np.float64) for image in (better, worse, hr))
    gain = ((worse - hr) ** 2 - (better - hr) ** 2).sum(axis=2)
    rows, columns = (min(side, n) for n in gain.shape)
    total = np.pad(gain.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = (
        total[rows:, columns:]
        - total[:-rows, columns:]
        - total[rows:, :-columns]
        + total[:-rows, :-columns]
    )
    top, left = (int(n) for n in np.unravel_index(sums.argmax(), sums.shape))
    return slice(top, top + rows), slice(left, left + columns)
