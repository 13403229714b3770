"""What is kept of an evaluation: scores, and pictures for the report if wanted."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ignn_jax.evaluation.figures import Figure, make_figure
from ignn_jax.evaluation.scores import BICUBIC, Evaluated, Score, mean_score


class ImageResult(NamedTuple):
    """One image's scores.

    Attributes:
      name: unique in its set.
      height, width: of the HR image that was compared, borders included.
      origin: where the LR image comes from: "given", "given, cut" or "made".
      scores: by method: "bicubic", then the network's name if there is one.
      figure: the images, encoded for the report; None where none is wanted.
    """

    name: str
    height: int
    width: int
    origin: str
    scores: dict[str, Score]
    figure: Figure | None = None

    @classmethod
    def of(cls, evaluated: Evaluated, *, figure: bool = False) -> "ImageResult":
        """What is kept of an evaluated pair; with the figure, a tenth of its memory."""
        pair = evaluated.pair
        height, width, _ = pair.hr.shape
        picture = make_figure(evaluated) if figure else None
        return cls(pair.name, height, width, pair.origin, evaluated.scores, picture)

    @property
    def gain(self) -> float:
        """The network's PSNR over bicubic's in dB; 0 without a network."""
        bicubic, *network = self.scores.values()
        if not network or network[0] == bicubic:
            return 0.0  # not inf - inf
        return network[0].psnr - bicubic.psnr


class SetResult(NamedTuple):
    """One set's results.

    Attributes:
      name: of the set.
      images: those that were scored.
      failures: a line for each image that was not.
      folder: where the set was found; "" for one that is no folder.
    """

    name: str
    images: list[ImageResult]
    failures: list[str] = []  # noqa: RUF012  (never changed)
    folder: str = ""

    @property
    def means(self) -> dict[str, Score]:
        """The means over the images, by method; empty without any."""
        if not self.images:
            return {}
        return {
            method: mean_score(image.scores[method] for image in self.images)
            for method in self.images[0].scores
        }

    @property
    def lr(self) -> str:
        """Where the LR images come from, in words; "" without images."""
        count = Counter(image.origin for image in self.images)
        words = []
        if count["made"]:
            words.append("LR made by MATLAB's bicubic")
        if count["given"] or count["given, cut"]:
            words.append("LR given")
        if count["given, cut"]:
            words.append(
                f"the last row or column of {count['given, cut']} of them cut to fit"
            )
        return ", ".join(words)


def network_of(sets: Iterable[SetResult]) -> str | None:
    """The name of the network that was evaluated, if there is one."""
    methods = (method for part in sets for method in part.means)
    return next((method for method in methods if method != BICUBIC), None)


def mean_gain(images: Iterable[ImageResult]) -> float:
    """The mean gain over bicubic in dB."""
    return float(np.mean([image.gain for image in images]))
