"""Checkpoints of a training run, by Orbax: all that it takes to go on exactly."""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from ignn_jax.errors import InputError


class Checkpoints:
    """The checkpoints in a run's workdir, written in the background.

    A killed run leaves a half-written one under a temporary name, which is never
    listed and is cleared at the next start.
    """

    def __init__(self, workdir: pathlib.Path, keep: int):
        """Opens the folder; keeps the last `keep` checkpoints.

        Raises:
          InputError: the folder cannot be made or written.
        """
        folder = workdir.absolute() / "checkpoints"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(
                folder,
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=keep, cleanup_tmp_directories=True
                ),
                item_names=("state", "config"),
            )
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); "
                "give another --workdir"
            ) from error

    @property
    def latest(self) -> int | None:
        """The step of the newest checkpoint, if there is one."""
        return self._manager.latest_step()

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
