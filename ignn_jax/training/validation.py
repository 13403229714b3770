"""The held-out images of a training run, upscaled and scored as the benchmarks are."""

import io
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn

from ignn_jax.data.pairs import Pair
from ignn_jax.evaluation.comparison import side_by_side
from ignn_jax.evaluation.protocol import protocol
from ignn_jax.evaluation.report import write_report
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import (
    BICUBIC,
    Evaluated,
    Score,
    evaluate_pair,
    mean_score,
)
from ignn_jax.evaluation.setup import bicubic_setup, network_setup
from ignn_jax.files import write_bytes

# Images whose pixels are kept for the pictures: no browser likes a page of a hundred.
_SHOWN = 20


class Validated(NamedTuple):
    """What came out of one evaluation of the network.

    Attributes:
      shown: the first images, by bicubic and by the network.
      mean: the network's mean score over all images.
      label: what the network is called.
      protocol: how the network is run, in sentences.
    """

    shown: list[Evaluated]
    mean: Score
    label: str
    protocol: list[str]


class Validation:
    """The held-out images, and bicubic's scores on them."""

    def __init__(self, pairs: Sequence[Pair], model: nn.Module, tile: int):
        """Scores bicubic.

        Args:
          pairs: the held-out images.
          model: the network.
          tile: side of the network's tiles in LR pixels; 0 for whole images.
        """
        self._pairs, self._model, self._tile = pairs, model, tile
        self._scale: int = model.scale
        upscalers = bicubic_setup(self._scale).upscalers
        scores = []
        self._shown: list[Evaluated] = []
        for pair in pairs:
            one = evaluate_pair(pair, upscalers)
            scores.append(one.scores[BICUBIC])
            if len(self._shown) < _SHOWN:
                self._shown.append(one)
        self.bicubic = mean_score(scores)

    def __len__(self) -> int:
        return len(self._pairs)

    def run(
        self, variables: Mapping[str, Any], stops: Callable[[], bool]
    ) -> Validated | None:
        """Upscales the images by the network with these variables, and scores it.

        Args:
          variables: what `model.apply` takes.
          stops: asked after each image, whether to end without a result.
        """
        setup = network_setup(self._model, variables, tile=self._tile)
        upscalers = {setup.label: setup.upscalers[setup.label]}
        scores, shown = [], []
        for n, pair in enumerate(self._pairs):
            one = evaluate_pair(pair, upscalers)
            scores.append(one.scores[setup.label])
            if n < len(self._shown):
                known = self._shown[n]
                images = known.images | one.images
                shown.append(Evaluated(pair, images, known.scores | one.scores))
            if stops():
                return None
        return Validated(shown, mean_score(scores), setup.label, setup.protocol)

    def write(self, workdir: pathlib.Path, validated: Validated, step: int) -> None:
        """Writes `comparison.png` and `report.html` of the images that are shown."""
        png = io.BytesIO()
        side_by_side(validated.shown).save(png, "png")
        write_bytes(workdir / "comparison.png", png.getvalue())
        images = [ImageResult.of(one, figure=True) for one in validated.shown]
        name, count = "validation", len(self)
        details = {"Step": str(step), "Workdir": str(workdir)}
        if len(images) < count:
            name = f"validation, the first {len(images)} of {count}"
            details[f"Mean of all {count} images"] = (
                f"{validated.mean} ({validated.label}), {self.bicubic} ({BICUBIC})"
            )
        write_report(
            workdir / "report.html",
            [SetResult(name, images)],
            title=f"{validated.label}, \u00d7{self._scale}: validation",
            scale=self._scale,
            protocol=protocol(scale=self._scale, networks=validated.protocol),
            details=details,
        )
