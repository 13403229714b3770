"""Networks for images of any size: whole, or tile by tile with the same result.

A tile is computed with the pixels around it that it depends on, and knows where in its
image it lies: convolutions and patches end where the image does, and neighbors are
searched in the image as far as the window reaches. All tiles have one shape, whatever
the image, so that each half of the network is compiled once.

Images are float32 [H, W, 3] RGB in [0, 255].
"""

import bisect
import functools
import itertools
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ignn_jax.devices import available_memory, is_out_of_memory, planned_memory
from ignn_jax.errors import InputError
from ignn_jax.inference.encoding import Features, batches, cut_tile, paste
from ignn_jax.inference.layout import make_layout
from ignn_jax.models.ignn import Encoded
from ignn_jax.ops.regions import Region

AUTO = "auto"
# The sides that "auto" chooses from: few, since each has to be compiled. Larger ones
# compute less twice; at 256, 64 features take 2 GiB on CPU.
SIDES = (64, 128, 256, 512, 1024)
LARGEST_ON_CPU = 256

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
    ):
        """Puts the variables on the devices.

        Args:
          model: IGNN or EDSR.
          variables: the model's.
          tile: side in LR pixels, without what is computed around it; None or 0:
            whole images; "auto": the smallest that holds the image, or the largest
            that memory allows.
          devices: they share the tiles; None: all local ones.

        Raises:
          InputError: as `check_tile`.
        """
        check_tile(tile)
        self._model = model
        self._devices = tuple(devices or jax.local_devices())
        mesh = Mesh(self._devices, (_TILES,))
        self._variables = jax.device_put(variables, NamedSharding(mesh, P()))
        self._tile = int(tile) if isinstance(tile, numbers.Integral) else tile
        on_cpu = self._devices[0].platform == "cpu"
        self._sides = [n for n in SIDES if not on_cpu or n <= LARGEST_ON_CPU]
        self._fits_memory: dict[Any, bool] = {}  # by side

    def __call__(
        self,
        image: np.ndarray,
        *,
        progress: Callable[[Sequence], Iterable] = iter,
    ) -> np.ndarray:
        """Upscales an image.

        An image too small to be cut (a few pixels) goes through whole. With "auto",
        where memory runs out after all, the next smaller side is used for this image
        and all that follow.

        Args:
          image: float32 [H, W, 3].
          progress: wraps the sequence of tiles while they are worked through, as
            `tqdm.tqdm` does; as many as there are devices count as one.

        Returns:
          float32 [S * H, S * W, 3], not clipped.
        """
        *larger, smallest = (
            self._sides_for(image) if self._tile == AUTO else [self._tile or 0]
        )
        for side in larger:
            try:
                if self._fits(side, image):
                    return self._upscale(image, side, progress)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._fits_memory[side] = False
        return self._upscale(image, smallest, progress)

    def _sides_for(self, image):
        """The smallest side that holds the image, if any, and all below, descending."""
        least = bisect.bisect_left(self._sides, max(image.shape[:2]))
        return self._sides[: least + 1][::-1]

    def _fits(self, side, image):
        """Whether the compiler plans to use no more memory than there is."""
        layout = make_layout(self._model, image.shape[:2], side)
        if side not in self._fits_memory and layout is not None:
            _, decode = _programs(self._model, layout.side, layout.halo, self._devices)
            channels, dtype = self._model.features, jnp.dtype(self._model.dtype)

            def zeros(_, sides):
                return np.zeros((*sides, channels), dtype)

            start = layout.starts[0][0], layout.starts[1][0]
            tile = cut_tile(layout, start, image, zeros)
            plan = decode.lower(self._variables, self._stack([tile])).compile()
            available = available_memory(self._devices[0])
            self._fits_memory[side] = planned_memory(plan) <= available
        return self._fits_memory.get(side, True)

    def _upscale(self, image, side, progress):
        layout = make_layout(self._model, image.shape[:2], side) if side else None
        if layout is None:
            (whole,) = progress([image[None]])
            return np.asarray(_whole_program(self._model)(self._variables, whole))[0]
        encode, decode = _programs(self._model, layout.side, layout.halo, self._devices)
        scale, count = self._model.scale, len(self._devices)
        features = Features(functools.partial(self._run, encode), layout, image, count)
        height, width, _ = image.shape
        result = np.empty((scale * height, scale * width, 3), np.float32)
        for batch in progress(batches(list(itertools.product(*layout.starts)), count)):
            parts = [cut_tile(layout, start, image, features.cut) for start in batch]
            upscaled = self._run(decode, parts)
            for start, sr in zip(batch, upscaled, strict=True):
                paste(result, sr, [scale * n for n in start])
            # Later tiles depend on nothing above what the last one depended on.
            features.forget_above(
                min(region.start[0] for region in _regions(parts[-1]))
            )
        return result

    def _run(self, program, parts):
        """Runs a program on at most one part for each device."""
        results = program(self._variables, self._stack(parts))
        return np.asarray(results)[: len(parts)]

    def _stack(self, parts):
        """Stacks trees of arrays, one for each device; the last one is repeated."""
        parts = parts + parts[-1:] * (len(self._devices) - len(parts))
        return jax.tree.map(lambda *arrays: np.stack(arrays), *parts)


@functools.lru_cache
def _whole_program(model):
    return jax.jit(model.apply)


@functools.lru_cache
def _programs(model, side, halo, devices):
    """The two halves of a network: F_L, and SR, of tiles of `side` x `side` pixels.

    They take stacked parts: each device gets one, as a batch of one.
    """
    mesh = Mesh(devices, (_TILES,))

    def on_devices(program):
        return jax.jit(
            jax.shard_map(
                program,
                mesh=mesh,
                in_specs=(P(), P(_TILES)),
                out_specs=P(_TILES),
                check_vma=False,
            )
        )

    def encode(variables, part):
        x = model.apply(variables, *_unstack_regions(part), method="encode")
        return x[:, halo : halo + side, halo : halo + side]

    def decode(variables, tile):
        method = "decode" if isinstance(tile[0], Encoded) else "__call__"
        sr = model.apply(variables, *_unstack_regions(tile), method=method)
        first, last = model.scale * halo, model.scale * (halo + side)
        return sr[:, first:last, first:last]

    return on_devices(encode), on_devices(decode)


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
