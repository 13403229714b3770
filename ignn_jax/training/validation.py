"""The held-out images of a training run, upscaled and scored as the benchmarks are."""

import pathlib
from collections.abc import Sequence
from typing import Any

import flax.linen as nn

from ignn_jax.data.pairs import Pair
from ignn_jax.evaluation.report import ReportSet, make_figure, write_report
from ignn_jax.evaluation.results import network_protocol, protocol
from ignn_jax.evaluation.scores import Score, mean_score, score
from ignn_jax.inference.layout import HALO
from ignn_jax.inference.tiles import TiledNetwork
from ignn_jax.inference.upscalers import bicubic_upscaler, network_upscaler
from ignn_jax.pictures.crops import Row, side_by_side

# Images in the report: a page of a hundred large ones no browser likes.
_SHOWN = 20


class Validation:
    """The held-out images, and bicubic's scores on them."""

    def __init__(self, pairs: Sequence[Pair], model: nn.Module, tile: int):
        """Upscales the images by bicubic; `tile` is for the network."""
        upscale = bicubic_upscaler(model.scale)
        self._model, self._scale, self._tile = model, model.scale, tile
        self._rows = [
            Row(pair.name, pair.lr, pair.hr, upscale(pair.lr)) for pair in pairs
        ]
        self._bicubic = [
            score(row.bicubic, row.hr, scale=self._scale) for row in self._rows
        ]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bicubic(self) -> Score:
        """Bicubic's mean."""
        return mean_score(self._bicubic)

    def run(self, variables: Any) -> tuple[list[Row], list[Score]]:
        """The images upscaled by the network with these variables, and its scores."""
        network = TiledNetwork(self._model, variables, tile=self._tile)
        upscale = network_upscaler(network)
        rows = [row._replace(sr=upscale(row.lr)) for row in self._rows]
        return rows, [score(row.sr, row.hr, scale=self._scale) for row in rows]

    def write(
        self,
        workdir: pathlib.Path,
        rows: list[Row],
        scores: list[Score],
        *,
        label: str,
        step: int,
    ) -> None:
        """Writes `comparison.png` and `report.html` of what `run` returned.

        Of many images they show the first ones.
        """
        picture = side_by_side(rows[:_SHOWN], label=label, scale=self._scale)
        picture.save(workdir / "comparison.png")
        network = network_protocol(tile=self._tile, overlap=HALO, ensemble=False)
        write_report(
            workdir / "report.html",
            [
                ReportSet(
                    "validation",
                    "LR made by MATLAB's bicubic",
                    list(map(make_figure, rows[:_SHOWN], self._bicubic, scores)),
                )
            ],
            title=f"{label}, \u00d7{self._scale}: validation",
            label=label,
            scale=self._scale,
            protocol=protocol(scale=self._scale, network=network),
            details={"Step": str(step), "Workdir": str(workdir)},
        )
