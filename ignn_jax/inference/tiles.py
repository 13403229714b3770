"""Networks for images of any size: whole, or tile by tile with the same result.

A tile is computed with the pixels around it that it depends on, and knows where in its
image it lies: convolutions and patches end where the image does, and neighbors are
searched in the image as far as the window reaches. All tiles have one shape, so that
each half of the network is compiled once. Whole images are padded for the same reason,
and know where they end.

Images are float32 [H, W, 3] RGB in [0, 255].
"""

import functools
import math
import numbers
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ignn_jax.devices import available_memory, is_out_of_memory, planned_memory
from ignn_jax.errors import InputError
from ignn_jax.inference.encoding import Features, batches, cut, cut_tile
from ignn_jax.inference.layout import can_be_padded, make_layout
from ignn_jax.inference.plan import Costs, Plan, choose, plan_of_tiles
from ignn_jax.inference.programs import compile_or_load
from ignn_jax.models.ignn import IGNN, Encoded, apply_within
from ignn_jax.ops.regions import Region

AUTO = "auto"

_TILES = "tiles"  # the axis of the devices


def check_tile(tile: Any) -> None:
    """Refuses what is not a tile.

    Raises:
      InputError: it is neither "auto", nor None or 0 (whole images), nor a number.
    """
    is_side = isinstance(tile, numbers.Integral) and not isinstance(tile, bool)
    if not (tile is None or (tile >= 0 if is_side else tile == AUTO)):
        raise InputError(
            f'{tile} is not the side of a tile: give its pixels, "{AUTO}", or 0 for '
            "whole images",
            field="tile",
        )


class TiledNetwork:
    """A network for images of any size."""

    def __init__(
        self,
        model: nn.Module,
        variables: Any,
        *,
        tile: int | str | None = AUTO,
        devices: Sequence[jax.Device] | None = None,
        programs: pathlib.Path | None = None,
    ):
        """Puts the variables on the devices.

        Args:
          model: IGNN or EDSR.
          variables: the model's.
          tile: side in LR pixels, without what is computed around it; None or 0:
            whole images; "auto": what costs least in time and memory (see `plan`).
          devices: they share the tiles; None: all local ones.
          programs: a folder where compiled programs are kept (see `compile_or_load`).

        Raises:
          InputError: as `check_tile`.
        """
        check_tile(tile)
        self._model = model
        self._devices = tuple(devices or jax.local_devices())
        self._costs = Costs.of(model, variables, self._devices)
        mesh = Mesh(self._devices, (_TILES,))
        self._variables = jax.device_put(variables, NamedSharding(mesh, P()))
        self._is_auto = tile == AUTO
        self._given = None
        if isinstance(tile, numbers.Integral) and tile > 0:
            self._given = plan_of_tiles((int(tile), int(tile)))
        self._folder = programs
        self._programs: dict[Any, jax.stages.Compiled] = {}
        self._known: set[Plan] = set()  # plans that were carried out
        self._limit = math.inf  # bytes that tiles may take, once memory has run out

    def __call__(
        self,
        image: np.ndarray,
        *,
        progress: Callable[[Sequence], Iterable] = iter,
    ) -> np.ndarray:
        """Upscales an image.

        An image too small to be cut (a few pixels) goes through whole. With "auto",
        where memory runs out after all, smaller tiles are used for this image and all
        that follow.

        Args:
          image: float32 [H, W, 3].
          progress: wraps the sequence of tiles while they are worked through, as
            `tqdm.tqdm` does; as many as there are devices count as one.

        Returns:
          float32 [S * H, S * W, 3], not clipped.
        """
        size = image.shape[:2]
        if not self._is_auto:
            return self._upscale(image, self._given or Plan(None, size), progress)
        while True:
            limit = min(self._limit, available_memory(self._devices[0]))
            plan = self._choose(size, limit)
            try:
                result = self._upscale(image, plan, progress)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                memory = self._costs.memory_of(plan)
                if not is_out_of_memory(error) or memory > limit:
                    raise
                self._limit = memory / 2
                self._known.discard(plan)
            else:
                self._known.add(plan)
                return result

    def _choose(self, size, limit):
        padded = can_be_padded(self._model, size)
        return choose(size, self._costs, limit=limit, padded=padded, known=self._known)

    def _upscale(self, image, plan, progress):
        layout = plan.tile and make_layout(self._model, image.shape[:2], plan.tile)
        if layout is None:
            if plan.tile:  # the image is too small to be cut, or to be padded to a tile
                plan = Plan(None, image.shape[:2])
            return self._upscale_whole(image, plan, progress)
        scale, count = self._model.scale, len(self._devices)
        features = Features(
            functools.partial(self._run, "encode"), layout, image, count
        )
        height, width, _ = image.shape
        result = np.empty((scale * height, scale * width, 3), np.float32)
        for batch in progress(batches(layout.tiles, count)):
            parts = [
                cut_tile(layout, layout.start(tile), image, features.cut)
                for tile in batch
            ]
            upscaled = self._run("decode", parts)
            for tile, sr in zip(batch, upscaled, strict=True):
                rows, columns = map(layout.kept, (0, 1), tile)
                result[
                    scale * rows.start : scale * rows.stop,
                    scale * columns.start : scale * columns.stop,
                ] = layout.kept_of(tile, sr)
            # Later tiles depend on nothing above what the last one depended on.
            features.forget_above(
                min(region.start[0] for region in _regions(parts[-1]))
            )
        return result

    def _upscale_whole(self, image, plan, progress):
        height, width = image.shape[:2]
        part = (image,)
        if plan.sides != (height, width):
            region = Region(np.zeros(2, np.int32), np.array([height, width], np.int32))
            part = cut(image, (0, 0), plan.sides), region
        (part,) = progress([part])
        scale = self._model.scale
        return self._run("whole", [part])[0][: scale * height, : scale * width]

    def _run(self, kind, parts):
        """Runs a program on at most one part for each device."""
        args = self._variables, self._stack(parts)
        leaves = jax.tree.leaves(args[1])
        name = kind, tuple(x.shape for x in leaves), tuple(x.dtype for x in leaves)
        if name not in self._programs:
            self._programs[name] = self._compile(kind, args)
        return np.asarray(self._programs[name](*args))[: len(parts)]

    def _compile(self, kind, args):
        program = _program(kind, self._model, self._devices)
        if jax.config.jax_disable_jit:  # for debugging: there is nothing to compile
            return program
        program = compile_or_load(
            program,
            args,
            name=(kind, self._model),
            devices=self._devices,
            folder=self._folder,
        )
        available = available_memory(self._devices[0])
        if self._is_auto and planned_memory(program) > available:
            raise MemoryError("the compiler plans more than there is")
        return program

    def _stack(self, parts):
        """Stacks trees of arrays, one for each device; the last one is repeated."""
        if len(self._devices) == 1:  # without a copy
            return jax.tree.map(lambda array: array[None], parts[0])
        parts = parts + parts[-1:] * (len(self._devices) - len(parts))
        return jax.tree.map(lambda *arrays: np.stack(arrays), *parts)


@functools.lru_cache
def _program(kind, model, devices):
    """The whole network, or one of its halves: F_L, and SR, of tiles.

    It takes stacked parts: each device gets one, as a batch of one.
    """

    def whole(variables, part):
        if isinstance(model, IGNN) and len(part) == 2:
            return apply_within(model, variables, *part)
        return model.apply(variables, *part)

    def encode(variables, part):
        return model.apply(variables, *part, method="encode")

    def decode(variables, tile):
        method = "decode" if isinstance(tile[0], Encoded) else "__call__"
        return model.apply(variables, *tile, method=method)

    run = {"whole": whole, "encode": encode, "decode": decode}[kind]
    on_devices = jax.shard_map(
        lambda variables, parts: run(variables, _unstack_regions(parts)),
        mesh=Mesh(devices, (_TILES,)),
        in_specs=(P(), P(_TILES)),
        out_specs=P(_TILES),
        check_vma=False,
    )
    return jax.jit(on_devices)


def _is_region(x):
    return isinstance(x, Region)


def _regions(tile):
    return filter(_is_region, jax.tree.leaves(tile, is_leaf=_is_region))


def _unstack_regions(parts):
    """Images are a batch of one, their regions are not."""
    return jax.tree.map(
        lambda x: Region(x.start[0], x.size[0]) if _is_region(x) else x,
        parts,
        is_leaf=_is_region,
    )
