"""Checkpoints of a training run, by Orbax: all that it takes to go on exactly.

Orbax does not notice bytes that changed on disk. So each checkpoint carries a digest of
its contents, and one that does not match its digest is passed over for the one before
it.
"""

import dataclasses
import errno
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers as policies

from ignn_jax.errors import InputError
from ignn_jax.files import check_output_folder, reason_of
from ignn_jax.training import orbax_failures
from ignn_jax.weights.file import digest

orbax_failures.hush()


class Checkpoints:
    """The checkpoints in a run's workdir: the last ones, and the best by PSNR.

    A run that is killed leaves a half-written one under a temporary name, which is
    never listed and which `create` removes. If a run has several processes, all of them
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
        self._policy = _LastAndBest(keep)
        self._reader = _create_reader()
        self._manager: ocp.CheckpointManager | None = None
        self._newest: _Checkpoint | None = None  # once it is read
        self._damaged: list[int] = []  # steps that were passed over for it

    @property
    def latest(self) -> int | None:
        """The step of the newest checkpoint, damaged or not; None without any."""
        return max(self._steps(), default=None)

    def peek(self) -> tuple[int, dict[str, Any]] | None:
        """Step and info of the checkpoint that `restore` will restore; or None.

        Raises:
          InputError: as `restore`.
        """
        newest = self._read_newest()
        return (newest.step, newest.info) if newest else None

    def restore(self, like: Any) -> tuple[Any, dict[str, Any] | None]:
        """Restores the newest checkpoint that is intact, and reports damaged ones.

        Args:
          like: a state of the same structure, shapes and types; or only these, as
            `jax.eval_shape` returns them.

        Returns:
          The state, of NumPy arrays, and the info; None and None without any.

        Raises:
          InputError: all are damaged, or the state is that of another network.
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
        return jax.tree.unflatten(jax.tree.structure(like), leaves), newest.info

    def create(self, psnrs: Mapping[int, float | None]) -> None:
        """Makes the folder ready for `save`.

        Checkpoints that were found damaged are renamed: their steps will come again.

        Args:
          psnrs: of the evaluations so far, in dB, by step.

        Raises:
          InputError: the folder cannot be made or written.
        """
        check_output_folder(self._folder, field="workdir")
        if jax.process_index() > 0:
            return
        # Orbax would do so in a thread, which prints a traceback if the program ends
        # before it does.
        for leftover in self._folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for step in self._damaged:
            self._put_aside(step)
        for step, psnr in psnrs.items():
            self.score(step, psnr)
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=self._policy,
                # The state is the same everywhere. If all processes wrote and one of
                # them failed, the others would wait for it for 20 minutes.
                multiprocessing_options=_alone(),
                create=False,  # it exists; and Orbax refuses to with these options
            ),
            item_names=("state", "info"),
        )

    def save(self, step: int, state: Any, info: Mapping[str, Any]) -> None:
        """Starts writing a checkpoint, unless there is one of that step or a later one.

        Args:
          step: its name.
          state: of NumPy arrays, which must not change while they are written.
          info: what else to keep, such as the config: values that JSON can hold.

        Raises:
          InputError: this one, or the one before it, could not be written.
        """
        self._newest = None
        failure = 0
        if self._manager:
            arrays = {name: np.asarray(x) for name, x in _by_name(state).items()}
            args = ocp.args.Composite(
                state=ocp.args.StandardSave(arrays),
                info=ocp.args.JsonSave({**info, "digest": digest(arrays, info)}),
            )
            failure = _failure(self._manager.save, step, args=args)
        self._check_together(failure)

    def wait(self) -> None:
        """Waits, in all processes, until the last checkpoint is on disk.

        Raises:
          InputError: it could not be written.
        """
        failure = 0
        if self._manager:
            failure = _failure(self._manager.wait_until_finished)
        self._check_together(failure)

    def score(self, step: int, psnr: float | None) -> None:
        """Notes the PSNR of the validation at a step, in dB: the best one is kept."""
        if psnr is not None and not math.isnan(psnr):
            self._policy.psnrs[step] = psnr

    def close(self) -> None:
        """Waits, in the process that writes, until everything is on disk.

        Raises:
          InputError: it could not be written.
        """
        if self._manager:
            self._check(_failure(self._manager.close))

    def _steps(self) -> list[int]:
        """The steps of all checkpoints that were completed, in order."""
        if not os.path.isdir(self._folder):
            return []
        return sorted(int(n) for n in os.listdir(self._folder) if n.isdecimal())

    def _read_newest(self) -> "_Checkpoint | None":
        """The newest intact checkpoint, read once; None if there is none at all."""
        if self._newest:
            return self._newest
        damaged = {}
        for step in reversed(self._steps()):
            with orbax_failures.quiet():
                try:
                    self._newest = self._read(step)
                except Exception as error:  # whatever Orbax raises for what is damaged
                    damaged[step] = reason_of(error)[:100]
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

    def _read(self, step: int) -> "_Checkpoint":
        """A checkpoint; raises whatever Orbax does if it is damaged."""
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(), info=ocp.args.JsonRestore()
        )
        found = self._reader.restore(self._folder / str(step), args=args)
        info, arrays = dict(found["info"]), found["state"]
        # Old versions had another digest, "sha256": their runs go on unchecked.
        if "sha256" not in info and info.pop("digest") != digest(arrays, info):
            raise ValueError("it is not what was saved")
        return _Checkpoint(step, arrays, info)

    def _put_aside(self, step: int) -> None:
        aside = self._folder / f"damaged-{step}"
        shutil.rmtree(aside, ignore_errors=True)  # from another time
        os.rename(self._folder / str(step), aside)
        _tell(f"checkpoint {step} is damaged: renamed to {aside}")

    def _check_together(self, failure: int) -> None:
        """Refuses to go on in all processes, after what the first one met."""
        self._check(multihost_utils.broadcast_one_to_all(np.int32(failure)))

    def _check(self, failure: int) -> None:
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
    info: dict[str, Any]


@dataclasses.dataclass
class _LastAndBest(policies.PreservationPolicy):
    """Keeps the last `keep` checkpoints and the one with the highest PSNR, if any."""

    keep: int
    psnrs: dict[int, float] = dataclasses.field(default_factory=dict)

    def should_preserve(
        self,
        checkpoints: Sequence[policies.PolicyCheckpointInfo],
        *,
        context: policies.PreservationContext,
    ) -> Sequence[bool]:
        steps = [checkpoint.step for checkpoint in checkpoints]
        known = [step for step in steps if step in self.psnrs]
        best = max(known, key=self.psnrs.__getitem__, default=None)
        kept = {*steps[-self.keep :], best}
        return [step in kept for step in steps]


def _alone() -> ocp.options.MultiprocessingOptions:
    """Lets Orbax act in this process without waiting for the others."""
    this = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=this,
        active_processes={this},
        barrier_sync_key_prefix=f"process{this}",
    )


def _create_reader() -> ocp.Checkpointer:
    return ocp.Checkpointer(
        ocp.CompositeCheckpointHandler("state", "info"),
        multiprocessing_options=_alone(),
    )


def _failure(write: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """Calls it, and returns the number of the system error that it met, or 0."""
    try:
        write(*args, **kwargs)
    except (OSError, ValueError) as error:
        number = orbax_failures.error_number(error)
        if number is None:
            raise
        return number
    return 0


def _by_name(state: Any) -> dict[str, Any]:
    """The arrays of a state by name, as `params/block_0/conv_0/kernel`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _first_difference(saved: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """The first array that differs in name, shape or type; "" if none does."""
    for name in [*expected, *saved]:
        theirs, ours = (
            f"{tree[name].dtype} {tree[name].shape}" if name in tree else "missing"
            for tree in (saved, expected)
        )
        if theirs != ours:
            return f"{name} is {theirs} there, {ours} here"
    return ""


def _tell(message: str) -> None:
    if jax.process_index() == 0:
        print(message)
