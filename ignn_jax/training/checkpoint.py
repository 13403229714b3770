"""Checkpoints of a training run, by Orbax: all that it takes to go on exactly.

Orbax does not notice bytes that changed on disk. So each checkpoint carries a digest of
all that it holds, and one that does not fit its digest is passed over for the one
before it.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import pathlib
import shutil
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers as policies

from ignn_jax.errors import InputError
from ignn_jax.files import check_output_folder
from ignn_jax.training import orbax_failures

orbax_failures.hush()


class Checkpoints:
    """The checkpoints in a run's workdir: the last ones, and the best by PSNR.

    A killed run leaves a half-written one under a temporary name, which is never
    listed and is cleared by `create`. Where a run has several processes, all of them
    call all methods on one shared folder, and the first process writes.
    """

    def __init__(self, workdir: pathlib.Path, keep: int):
        """Changes nothing on disk.

        Args:
          workdir: of the run.
          keep: how many of the last checkpoints to keep.

        Raises:
          InputError: `keep` is less than 1.
        """
        if keep < 1:
            raise InputError(f"must be at least 1, not {keep}", field="checkpoint.keep")
        self._folder = workdir.absolute() / "checkpoints"
        self._keep = keep
        self._manager: ocp.CheckpointManager | None = None
        self._newest: _Checkpoint | None = None  # once it is read
        self._damaged: list[int] = []  # the steps passed over for it

    @property
    def latest(self) -> int | None:
        """The step of the newest checkpoint, damaged or not, if there is one."""
        return max(self._steps(), default=None)

    def config(self) -> dict | None:
        """The config of the checkpoint that `restore` will restore, if any.

        Raises:
          InputError: as `restore`.
        """
        newest = self._read_newest()
        return newest and newest.config

    def restore(self, like: Any) -> tuple[Any, dict | None]:
        """Restores the newest checkpoint that is intact, and tells of damaged ones.

        Args:
          like: a state of the same structure, shapes and types.

        Returns:
          The state, of NumPy arrays, and the config; None and None without any.

        Raises:
          InputError: all are damaged, or the state is another network's.
        """
        newest = self._read_newest()
        self._newest = None  # not to be held in memory as long as the run
        if newest is None:
            return None, None
        expected = _by_name(like)
        if difference := _first_difference(newest.arrays, expected):
            raise InputError(
                f"{self._folder}: checkpoint {newest.step} is of another network: "
                f"{difference}; give another folder",
                field="workdir",
            )
        leaves = [newest.arrays[name] for name in expected]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), newest.config

    def create(self) -> None:
        """Makes the folder ready for `save`.

        Checkpoints that were found damaged are renamed: their steps will come again.

        Raises:
          InputError: it cannot be made or written.
        """
        check_output_folder(self._folder, field="workdir")
        if jax.process_index() > 0:
            return
        # Not by Orbax: its thread for this prints a traceback if the program ends
        # before it does.
        for leftover in self._folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for step in self._steps():
            if step in self._damaged or not self._has_info(step):
                self._put_aside(step)
        self._manager = _create_manager(self._folder, self._keep)

    def save(
        self, step: int, state: Any, config: dict, psnr: float | None = None
    ) -> None:
        """Starts writing a checkpoint, unless there is one of that step or a later.

        Args:
          step: its name.
          state: of NumPy arrays, which must not change while they are written.
          config: what JSON can hold.
          psnr: of the validation; None if it was not evaluated: never the best.

        Raises:
          InputError: this one, or the one before it, could not be written.
        """
        self._newest = None
        failure = 0
        if self._manager:
            evaluated = psnr is not None and not math.isnan(psnr)
            metrics = {"psnr": float(psnr) if evaluated else -math.inf}
            arrays, info = (
                jax.tree.map(np.asarray, _by_name(state)),
                {"config": config, **metrics},
            )
            args = ocp.args.Composite(
                state=ocp.args.StandardSave(arrays),
                info=ocp.args.JsonSave({**info, "sha256": _digest(arrays, info)}),
            )
            failure = _failure(self._manager.save, step, args=args, metrics=metrics)
        # So that the others end too, and do not wait for the first for ever.
        self._check(multihost_utils.broadcast_one_to_all(np.int32(failure)))

    def close(self) -> None:
        """Waits, in the process that writes, until everything is on disk.

        Raises:
          InputError: it could not be written.
        """
        if self._manager:
            self._check(_failure(self._manager.close))

    def _steps(self):
        """The steps of all checkpoints that were completed, in order."""
        if not os.path.isdir(self._folder):
            return []
        return sorted(int(n) for n in os.listdir(self._folder) if n.isdecimal())

    def _read_newest(self):
        """The newest intact checkpoint, read once; None if there is none at all."""
        if self._newest:
            return self._newest
        damaged = {}
        for step in reversed(self._steps()):
            with orbax_failures.quiet():
                try:
                    self._newest = self._read(step)
                except Exception as error:  # Orbax's depend on what is damaged
                    damaged[step] = " ".join(str(error).split())[:100]
            if self._newest:
                break
        self._damaged = list(damaged)
        found = self._newest.step if self._newest else -1
        if np.ptp(multihost_utils.process_allgather(np.int32(found))):
            raise InputError(
                f"{self._folder}: the processes of this run find different checkpoints "
                "there; give a folder that all of them share",
                field="workdir",
            )
        if damaged and not self._newest:
            step, reason = next(iter(damaged.items()))
            raise InputError(
                f"{self._folder}: all checkpoints are damaged ({step}: {reason}); "
                "delete them to begin anew, or give another folder",
                field="workdir",
            )
        for step, reason in damaged.items():
            _tell(f"checkpoint {step} is damaged ({reason}): going on from {found}")
        return self._newest

    def _read(self, step):
        """A checkpoint; raises whatever Orbax may where it is damaged."""
        info = self._read_info(step)
        digest = info.pop("sha256")
        # The bare handler: a checkpointer would wait for the other processes, one of
        # which may have failed.
        handler = ocp.StandardCheckpointHandler()
        arrays = handler.restore(self._folder / str(step) / "state")
        if _digest(arrays, info) != digest:
            raise ValueError("it is not what was saved")
        return _Checkpoint(step, arrays, info["config"])

    def _read_info(self, step):
        """What a checkpoint has beside its arrays; raises where it is damaged."""
        info, metrics = (
            json.loads((self._folder / str(step) / item).read_bytes())
            for item in ("info/metadata", "metrics/metrics")
        )
        if metrics != {"psnr": info["psnr"]}:
            raise ValueError("it is not what was saved")
        return info

    def _has_info(self, step):
        """Whether Orbax will be able to compare its PSNR."""
        with contextlib.suppress(Exception):
            return bool(self._read_info(step))

    def _put_aside(self, step):
        aside = self._folder / f"damaged-{step}"
        shutil.rmtree(aside, ignore_errors=True)  # of another time
        os.rename(self._folder / str(step), aside)
        _tell(f"checkpoint {step} is damaged: renamed to {aside}")

    def _check(self, failure):
        """Refuses to go on after what `_failure` returned."""
        if failure:
            full = failure in (errno.ENOSPC, errno.EDQUOT)
            raise InputError(
                f"{self._folder}: cannot be written: {os.strerror(failure)}; "
                f"{'free some space' if full else 'mend that'}, then run the same "
                "command again"
            )


class _Checkpoint(NamedTuple):
    step: int
    arrays: dict[str, np.ndarray]
    config: dict


def _create_manager(folder, keep):
    def psnr(metrics):
        return metrics["psnr"]

    return ocp.CheckpointManager(
        folder,
        options=ocp.CheckpointManagerOptions(
            # Not `max_to_keep` with `best_fn`, which can delete the last.
            preservation_policy=policies.AnyPreservationPolicy(
                [policies.LatestN(keep), policies.BestN(get_metric_fn=psnr, n=1)]
            ),
            best_fn=psnr,  # without, the metrics are not written
            # The state is the same everywhere. Were all processes to write, one that
            # fails would leave the others waiting for 20 minutes.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                primary_host=0, active_processes={0}
            ),
            create=False,  # it is there; and Orbax refuses to for some processes
        ),
        item_names=("state", "info"),
    )


def _failure(write, *args, **kwargs):
    """Calls it, and returns the number of the system's error that it met, or 0."""
    try:
        write(*args, **kwargs)
    except (OSError, ValueError) as error:
        number = orbax_failures.error_number(error)
        if number is None:
            raise
        return number
    return 0


def _by_name(state):
    """The arrays of a state by name, as `params/block_0/conv_0/kernel`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _digest(arrays, info):
    digest = hashlib.sha256(json.dumps(info).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _first_difference(saved, expected):
    """The first array that differs in name, shape or type, if any does."""
    for name in [*expected, *saved]:
        theirs, ours = (
            f"{tree[name].dtype} {tree[name].shape}" if name in tree else "missing"
            for tree in (saved, expected)
        )
        if theirs != ours:
            return f"{name} is {theirs} there, {ours} here"
    return None


def _tell(message):
    if jax.process_index() == 0:
        print(message)
