"""What a training run keeps in its workdir: states, scores, pictures."""

import contextlib
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from ignn_jax.files import write_text
from ignn_jax.inspection.statistics import graph_statistics
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.lock import Lock
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
        images: Mapping[str, Any],
        lock: Lock,
        checkpoints: Checkpoints,
        model: nn.Module,
        validation: Validation,
        progress: Progress,
        start: int,
    ):
        """Writes `config.json`; the run goes on from step `start`."""
        self._path, self._model, self._lock = path, model, lock
        self._info = {"config": config.to_dict(), "images": images}
        self._validation, self._progress = validation, progress
        self._checkpoints = checkpoints
        self._writes = jax.process_index() == 0
        self._validated: Validated | None = None  # the last evaluation
        if self._writes:
            for leftover in path.glob(".*.part"):  # of a write that was killed
                leftover.unlink()
            write_text(path / "config.json", config.to_json(indent=2))
        self.log = Log(path, start, write=self._writes)
        psnrs = {row["step"]: row["psnr"] for row in self.log.evaluations}
        checkpoints.create(psnrs)
        if psnrs:
            progress.psnr = psnrs[max(psnrs)]

    def save(self, state: TrainState) -> None:
        """Saves a state, and the network's weights."""
        self._lock.check()
        step = int(state.step)
        self._checkpoints.save(step, state, self._info)
        self._save_weights(FILENAME, state)

    def evaluate(self, state: TrainState, stops: Callable[[], bool]) -> bool:
        """Scores the network on the validation images, and logs what comes out.

        Args:
          state: of the network; if it was saved, it will be on disk before.
          stops: asked after each image, whether to end without a result.

        Returns:
          Whether it came to its end.
        """
        self._checkpoints.wait()  # evaluation may take long, and memory
        step = int(state.step)
        with self._progress.paused():
            validated = self._validation.run(state.variables, stops)
            if validated is None:
                return False
            self._keep_if_best(state, validated.mean.psnr)
            self.log.evaluation(step, validated.mean)
            self.log.crops(step, validated.shown)
            lr = validated.shown[0].pair.lr
            statistics = graph_statistics(self._model, state.variables, lr)
            if statistics:
                self.log.graph(step, statistics)
        self._progress.psnr = validated.mean.psnr
        self._validated = validated
        return True

    def _keep_if_best(self, state: TrainState, psnr: float) -> None:
        # Before the log has it: what is in the log is not evaluated again.
        step, best = int(state.step), self.log.best_psnr
        self._checkpoints.score(step, psnr)
        if step and psnr >= (-math.inf if best is None else best):
            self._save_weights(BEST_FILENAME, state)

    def _save_weights(self, name: str, state: TrainState) -> None:
        if self._writes:
            save(self._path / name, self._model, state.variables, step=int(state.step))

    def is_evaluated(self, step: int) -> bool:
        """Whether the log has the scores of a step."""
        return any(row["step"] == step for row in self.log.evaluations)

    def finish(self, state: TrainState, stops: Callable[[], bool]) -> bool:
        """Writes the pictures and tells what the training was worth.

        Returns:
          Whether it came to its end, as in `evaluate`.
        """
        # It is not evaluated yet if the run had ended before.
        if not self._validated and not self.evaluate(state, stops):
            return False
        assert self._validated
        if not self._writes:
            return True
        step = int(state.step)
        self._validation.write(self._path, self._validated, step)
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
        return True

    def __exit__(self, *exception):
        self.log.close()
        self._checkpoints.close()
