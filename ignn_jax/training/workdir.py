"""What a training run keeps in its workdir: states, scores, pictures."""

import contextlib
import pathlib

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from ignn_jax.files import write_text
from ignn_jax.inspection.statistics import graph_statistics
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.log import Log
from ignn_jax.training.progress import Progress
from ignn_jax.training.step import TrainState
from ignn_jax.training.validation import Validated, Validation
from ignn_jax.weights.find import BEST_FILENAME, FILENAME
from ignn_jax.weights.network import save


class Workdir(contextlib.AbstractContextManager):
    """A run's folder; a context. One process writes, the others only follow.

    It holds `config.json`; `checkpoints/`; `weights.safetensors`, the network as of the
    last checkpoint, and `best.safetensors`, as of the best evaluation; `metrics.jsonl`
    and `tensorboard/`; and at the end `comparison.png` and `report.html`.
    """

    def __init__(
        self,
        path: pathlib.Path,
        config: ConfigDict,
        checkpoints: Checkpoints,
        model: nn.Module,
        validation: Validation,
        progress: Progress,
        start: int,
    ):
        """Writes `config.json`; the run goes on from step `start`."""
        self._path, self._config, self._model = path, config, model
        self._validation, self._progress = validation, progress
        self._checkpoints = checkpoints
        self._writes = jax.process_index() == 0
        self._validated: Validated | None = None  # the last evaluation
        if self._writes:
            for leftover in path.glob(".*.part"):  # of a write that was killed
                leftover.unlink()
            write_text(path / "config.json", config.to_json(indent=2))
        self.log = Log(path, start, write=self._writes)
        if self.log.evaluations:
            progress.psnr = self.log.evaluations[-1]["psnr"]

    def evaluate(self, state: TrainState) -> Validated:
        """Scores the network on the validation images, and logs what comes out."""
        step = int(state.step)
        with self._progress.paused():
            validated = self._validation.run(state.variables)
            self.log.evaluation(step, validated.mean)
            self.log.crops(step, validated.shown)
            lr = validated.shown[0].pair.lr
            statistics = graph_statistics(self._model, state.variables, lr)
            if statistics:
                self.log.graph(step, statistics)
        self._progress.psnr = validated.mean.psnr
        self._validated = validated
        return validated

    def save(self, state: TrainState, psnr: float | None = None) -> None:
        """Saves a state, with its PSNR if it was evaluated."""
        step = int(state.step)
        self._checkpoints.save(step, state, self._config.to_dict(), psnr)
        names = [FILENAME]
        if psnr is not None and psnr == self.log.best_psnr:
            names.append(BEST_FILENAME)
        for name in names if self._writes else ():
            save(self._path / name, self._model, state.variables, step=step)

    def finish(self, state: TrainState) -> None:
        """Writes the pictures and tells what the training was worth."""
        validated = self._validated or self.evaluate(state)  # it had ended before
        if not self._writes:
            return
        step = int(state.step)
        self._validation.write(self._path, validated, step)
        first, last = (self.log.evaluations[n]["psnr"] for n in (0, -1))
        first, last = (np.nan if x is None else x for x in (first, last))
        bicubic = self._validation.bicubic.psnr
        print(
            f"PSNR on Y: {first:.2f} dB before, {last:.2f} dB after {step} steps "
            f"({last - first:+.2f} dB); bicubic has {bicubic:.2f} dB "
            f"({last - bicubic:+.2f} dB)\n"
            f"Side by side: {self._path / 'comparison.png'}, "
            f"{self._path / 'report.html'}"
        )

    def __exit__(self, *exception):
        self.log.close()
        self._checkpoints.close()
