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
      scores: by method: "bicubic", then the networks.
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
        """The first network's PSNR over bicubic's in dB; 0 without a network."""
        _, *networks = self.scores
        return self.gain_of(networks[0]) if networks else 0.0

    def gain_of(self, method: str, over: str = BICUBIC) -> float:
        """A method's PSNR over that of another in dB."""
        ours, theirs = self.scores[method].psnr, self.scores[over].psnr
        return 0.0 if ours == theirs else ours - theirs  # not inf - inf


class Comparison(NamedTuple):
    """A network beside the first one, over the images of a set.

    Attributes:
      psnr: the mean of its PSNR less that of the first, in dB.
      ahead, behind: the number of images on which its PSNR is higher, and lower.
      p: of the two-sided sign test: the probability of at least so uneven a count if
        either were ahead on half of the images.
    """

    psnr: float
    ahead: int
    behind: int
    p: float


class SetResult(NamedTuple):
    """One set's results.

    Attributes:
      name: of the set.
      images: those that were scored.
      failures: a line for each image that was not.
      folder: where the set was found; "" for one that is no folder.
      from_before: how many of the images were scored before an interruption.
      lr_folder: where its LR images were found; "" where they were made.
    """

    name: str
    images: list[ImageResult]
    failures: list[str] = []  # noqa: RUF012  (never changed)
    folder: str = ""
    from_before: int = 0
    lr_folder: str = ""

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
    def comparisons(self) -> dict[str, Comparison]:
        """Each network but the first, beside the first; empty without several."""
        first, *others = networks_of([self]) or [""]
        return {method: self._compare(method, first) for method in others}

    def _compare(self, method, other):
        from scipy.stats import binomtest  # slow to import

        gains = [image.gain_of(method, other) for image in self.images]
        ahead, behind = (sum(sign * gain > 0 for gain in gains) for sign in (1, -1))
        p = binomtest(ahead, ahead + behind).pvalue if ahead + behind else 1.0
        return Comparison(float(np.mean(gains)), ahead, behind, float(p))

    @property
    def lr(self) -> str:
        """Where the LR images come from, in words; "" without images."""
        count = Counter(image.origin for image in self.images)
        words = []
        if count["made"]:
            words.append("LR made by MATLAB's bicubic")
        if count["given"] or count["given, cut"]:
            words.append(f"LR given, from {self.lr_folder}")
        if count["given, cut"]:
            words.append(
                f"the last row or column of {count['given, cut']} of them cut to fit"
            )
        return ", ".join(words)


def networks_of(sets: Iterable[SetResult]) -> list[str]:
    """The names of the networks that were evaluated."""
    methods = (method for part in sets for method in part.means)
    return [method for method in dict.fromkeys(methods) if method != BICUBIC]


def mean_gain(images: Iterable[ImageResult], method: str | None = None) -> float:
    """The mean gain over bicubic in dB, of the first network or of another method."""
    gains = (image.gain_of(method) if method else image.gain for image in images)
    return float(np.mean(list(gains)))
