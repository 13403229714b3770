"""The held-out images of a training run, upscaled and scored as the benchmarks are."""

import pathlib
from collections.abc import Sequence
from typing import Any

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

# Images in the report: no browser likes a page of a hundred large ones.
_SHOWN = 20


class Validation:
    """The held-out images, and bicubic's scores on them."""

    def __init__(self, pairs: Sequence[Pair], model: nn.Module, tile: int):
        """Upscales the images by bicubic; `tile` is for the network."""
        self._model, self._tile = model, tile
        upscalers = bicubic_setup(model.scale).upscalers
        self._bicubic = [evaluate_pair(pair, upscalers) for pair in pairs]
        self._setup = None

    def __len__(self) -> int:
        return len(self._bicubic)

    @property
    def bicubic(self) -> Score:
        """Bicubic's mean."""
        return mean_score(one.scores[BICUBIC] for one in self._bicubic)

    def run(self, variables: Any) -> tuple[list[Evaluated], Score]:
        """Upscales the images by the network with these variables.

        Returns:
          Every image with bicubic's and the network's scores, and the network's mean.
        """
        self._setup = network_setup(self._model, variables, tile=self._tile)
        label = self._setup.label
        upscalers = {label: self._setup.upscalers[label]}
        results = []
        for known in self._bicubic:
            new = evaluate_pair(known.pair, upscalers)
            results.append(
                Evaluated(
                    known.pair, known.images | new.images, known.scores | new.scores
                )
            )
        return results, mean_score(one.scores[label] for one in results)

    def write(self, workdir: pathlib.Path, results: list[Evaluated], step: int) -> None:
        """Writes `comparison.png` and `report.html` of what `run` returned last.

        Of many images they show the first ones.
        """
        shown = results[:_SHOWN]
        side_by_side(shown).save(workdir / "comparison.png")
        images = [ImageResult.of(one, figure=True) for one in shown]
        scale = self._setup.scale
        write_report(
            workdir / "report.html",
            [SetResult("validation", images)],
            title=f"{self._setup.label}, \u00d7{scale}: validation",
            scale=scale,
            protocol=protocol(scale=scale, network=self._setup.protocol),
            details={"Step": str(step), "Workdir": str(workdir)},
        )
