"""Checkpoints of a training run, by Orbax: all that it takes to go on exactly."""

import os
import pathlib
import shutil
from typing import Any

import jax
import orbax.checkpoint as ocp

from ignn_jax.outputs import check_output_folder


class Checkpoints:
    """The checkpoints in a run's workdir, written in the background.

    A killed run leaves a half-written one under a temporary name, which is never
    listed and is cleared by `create`.
    """

    def __init__(self, workdir: pathlib.Path, keep: int):
        """Opens the folder if it is there; `create` makes it.

        Args:
          workdir: of the run.
          keep: how many checkpoints to keep, the last ones.
        """
        self._folder = workdir.absolute() / "checkpoints"
        self._keep = keep
        self._manager = self._open() if os.path.isdir(self._folder) else None

    def create(self) -> None:
        """Makes the folder ready for `save`.

        Raises:
          InputError: it cannot be made or written.
        """
        check_output_folder(self._folder, option="--workdir")
        if jax.process_index() == 0:
            # Not by Orbax: its thread for this prints a traceback if the program ends
            # before it does.
            for leftover in self._folder.glob("*.orbax-checkpoint-tmp*"):
                shutil.rmtree(leftover, ignore_errors=True)
        self._manager = self._manager or self._open()

    @property
    def latest(self) -> int | None:
        """The step of the newest checkpoint, if there is one."""
        return self._manager.latest_step() if self._manager else None

    def save(self, step: int, state: Any, config: dict) -> None:
        """Starts writing a checkpoint of NumPy arrays, unless that step has one."""
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), config=ocp.args.JsonSave(config)
            ),
        )

    def config(self) -> dict:
        """The config that the newest checkpoint was trained with."""
        args = ocp.args.Composite(config=ocp.args.JsonRestore())
        return self._manager.restore(self.latest, args=args)["config"]

    def restore(self, like: Any) -> Any:
        """The newest checkpoint's state, as NumPy arrays.

        Args:
          like: a state of the same structure and shapes.
        """
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), like)
        args = ocp.args.Composite(state=ocp.args.StandardRestore(like))
        return self._manager.restore(self.latest, args=args)["state"]

    def close(self) -> None:
        """Waits until everything is on disk."""
        self._manager.wait_until_finished()
        self._manager.close()

    def _open(self):
        return ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(max_to_keep=self._keep),
            item_names=("state", "config"),
        )
