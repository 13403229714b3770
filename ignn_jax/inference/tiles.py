"""An image through a network whole, or tile by tile with the result of the whole.

A tile is computed with the pixels around it that it depends on, and knows where in its
image it lies: convolutions and patches end where the image does, and neighbors are
searched in the image as far as the window reaches. All tiles have one shape, whatever
the images, so that each half of the network is compiled once.

Images are float32 [H, W, 3] RGB in [0, 255].
"""

import bisect
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ignn_jax.devices import (
    available_memory,
    is_out_of_memory,
    planned_memory,
)
from ignn_jax.errors import InputError
from ignn_jax.inference.layout import Layout, Span, make_layout
from ignn_jax.models.ignn import IGNN, Part
from ignn_jax.ops.place import Place

AUTO = "auto"
# Sides of tiles among which "auto" chooses: few, since each has to be compiled. The
# larger, the less is computed twice; at 256, 64 features take 2 GiB on CPU.
SIDES = (64, 128, 256, 512, 1024)
LARGEST_ON_CPU = 256

_TILES = "tiles"  # the axis of the devices


def check_tile(tile: int | str | None) -> None:
    """Refuses what is no tile.

    Raises:
      InputError: it is neither "auto", nor None or 0 (whole images), nor a number.
    """
    if not (tile in (None, AUTO) or (isinstance(tile, int) and tile >= 0)):
        raise InputError(f"a tile of {tile} pixels: give its side, or auto, or whole")


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
          tile: side in pixels of the image, without what is computed around it; None
            or 0: whole images; "auto": as large as is of use and as the memory holds,
            and smaller for small images.
          devices: that share the tiles; None: all local ones.

        Raises:
          InputError: as `check_tile`.
        """
        check_tile(tile)
        self._model = model
        self._devices = tuple(devices or jax.local_devices())
        mesh = Mesh(self._devices, (_TILES,))
        self._variables = jax.device_put(variables, NamedSharding(mesh, P()))
        self._tile = tile
        on_cpu = self._devices[0].platform == "cpu"
        self._sides = [n for n in SIDES if not on_cpu or n <= LARGEST_ON_CPU]
        self._fitting = {}  # sides, and whether the memory holds them

    def __call__(
        self,
        image: np.ndarray,
        *,
        progress: Callable[[Sequence], Iterable] = iter,
    ) -> np.ndarray:
        """Upscales an image.

        It goes through whole where it is too small to be cut (a few pixels). With
        "auto", a side of tiles for which the memory does not suffice after all is given
        up for the next smaller, for this image and all that follow.

        Args:
          image: float32 [H, W, 3].
          progress: wraps the sequence of tiles, of which as many are one as there are
            devices, while they are worked through, as `tqdm.tqdm` does.

        Returns:
          float32 [S * H, S * W, 3], not clipped.
        """
        sides = self._sides_for(image) if self._tile == AUTO else [self._tile]
        for side in sides:
            last = side == sides[-1]
            try:
                if last or self._fits(side, image):
                    return self._upscale(image, side, progress)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if last or not is_out_of_memory(error):
                    raise
                self._fitting[side] = False

    def _sides_for(self, image):
        """The least side that holds the image, if any, and all below; largest first."""
        least = bisect.bisect_left(self._sides, max(image.shape[:2]))
        return self._sides[: least + 1][::-1]

    def _fits(self, side, image):
        """Whether the compiler plans to use no more memory than there is."""
        layout = make_layout(self._model, image.shape[:2], side)
        if side not in self._fitting and layout is not None:
            _, decode = _programs(self._model, layout.side, layout.halo, self._devices)
            channels, dtype = self._model.features, jnp.dtype(self._model.dtype)

            def zeros(start, sides):
                return np.zeros((*sides, channels), dtype)

            tile = _cut_tile(layout, layout.rows[0], layout.columns[0], image, zeros)
            plan = decode.lower(self._variables, self._stack([tile])).compile()
            available = available_memory(self._devices[0])
            self._fitting[side] = planned_memory(plan) <= available
        return self._fitting.get(side, True)

    def _upscale(self, image, side, progress):
        layout = make_layout(self._model, image.shape[:2], side) if side else None
        if layout is None:
            (whole,) = progress([image[None]])
            return np.asarray(_whole_program(self._model)(self._variables, whole))[0]
        encode, decode = _programs(self._model, layout.side, layout.halo, self._devices)
        scale, count = self._model.scale, len(self._devices)
        run_encode = functools.partial(self._run, encode)
        features = _Features(run_encode, layout, image, count)
        height, width, _ = image.shape
        result = np.empty((scale * height, scale * width, 3), np.float32)
        tiles = list(itertools.product(layout.rows, layout.columns))
        for batch in progress(_batches(tiles, count)):
            features.forget_above(batch[0][0])
            parts = [_cut_tile(layout, *tile, image, features.cut) for tile in batch]
            upscaled = self._run(decode, parts)
            for (row, column), sr in zip(batch, upscaled, strict=True):
                _paste(result, sr, scale * row.start, scale * column.start)
        return result

    def _run(self, program, parts):
        """One program on one part for each device, or on fewer."""
        results = program(self._variables, self._stack(parts))
        return np.asarray(results)[: len(parts)]

    def _stack(self, parts):
        """Trees of arrays to one, its first axis for the devices; the last repeats."""
        parts = parts + parts[-1:] * (len(self._devices) - len(parts))
        return jax.tree.map(lambda *arrays: np.stack(arrays), *parts)


@functools.lru_cache
def _whole_program(model):
    return jax.jit(model.apply)


@functools.lru_cache
def _programs(model, side, halo, devices):
    """The two halves of a network: F_L, and SR, of tiles of `side` x `side` pixels.

    They take stacked parts, of which each device has one: a batch of one.
    """
    mesh = Mesh(devices, (_TILES,))

    def spread(program):
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
        lr, place = part
        x = model.apply(variables, lr, _first(place), method="encode")
        return x[:, halo : halo + side, halo : halo + side]

    def decode(variables, tile):
        queries, candidates, grids = tile
        queries = queries._replace(place=_first(queries.place))
        if isinstance(model, IGNN):
            candidates = candidates._replace(place=_first(candidates.place))
            sr = model.apply(
                variables, queries, candidates, _first(grids), method="decode"
            )
        else:
            sr = model.apply(variables, queries.lr, queries.place)
        first, last = model.scale * halo, model.scale * (halo + side)
        return sr[:, first:last, first:last]

    return spread(encode), spread(decode)


def _first(tree):
    return jax.tree.map(lambda x: x[0], tree)


class _Features:
    """F_L of an image, encoded when first needed, a row of tiles at a time."""

    def __init__(self, encode: Callable, layout: Layout, image: np.ndarray, batch: int):
        """`encode` takes a list of at most `batch` parts (lr, place)."""
        self._encode, self._layout, self._image = encode, layout, image
        self._batch = batch
        self._rows = {}

    def cut(self, start: tuple[int, int], sides: tuple[int, int]) -> np.ndarray:
        """A part of it: [h, w, C], zeros beyond the image."""
        side, height = self._layout.side, self._image.shape[0]
        first = max(start[0], 0) // side
        last = (min(start[0] + sides[0], height) - 1) // side
        rows = {n: self._row(n) for n in range(first, last + 1)}
        part = np.zeros((*sides, *rows[first].shape[2:]), rows[first].dtype)
        for n, row in rows.items():
            _paste(part, row, n * side - start[0], -start[1])
        return part

    def _row(self, n):
        if n not in self._rows:
            side, halo = self._layout.side, self._layout.halo
            size = self._image.shape[:2]
            starts = [
                (n * side - halo, column - halo) for column in range(0, size[1], side)
            ]
            sides = (side + 2 * halo,) * 2
            encoded = [
                tile
                for batch in _batches(starts, self._batch)
                for tile in self._encode(
                    [
                        (_cut(self._image, start, sides), _place(start, size))
                        for start in batch
                    ]
                )
            ]
            row = np.concatenate(encoded, axis=1)
            self._rows[n] = row[: size[0] - n * side, : size[1]]
        return self._rows[n]

    def forget_above(self, span: Span) -> None:
        """Drops what neither this row of tiles nor those below it depend on."""
        needed = max(min(span.queries, span.candidates), 0) // self._layout.side
        for n in [n for n in self._rows if n < needed]:
            del self._rows[n]


def _cut_tile(layout, row, column, image, features):
    """The queries, candidates and grids that `IGNN.decode` takes; EDSR: the first."""

    def part(start, sides):
        place = _place(start, image.shape[:2])
        encoded = features(start, sides) if layout.candidate_sides else None
        return Part(_cut(image, start, sides), encoded, place)

    queries = part((row.queries, column.queries), (layout.query_side,) * 2)
    if layout.candidate_sides is None:
        return queries, None, None
    candidates = part((row.candidates, column.candidates), layout.candidate_sides)
    return queries, candidates, layout.grids(row, column)


def _place(start, size):
    return Place(np.array(start, np.int32), np.array(size, np.int32))


def _cut(image, start, sides):
    """A part of an image [H, W, C], zeros beyond it."""
    part = np.zeros((*sides, image.shape[2]), image.dtype)
    _paste(part, image, -start[0], -start[1])
    return part


def _paste(target, source, row, column):
    """Lays source upon target from this row and column on, as far as it lies within."""
    top, left = max(row, 0), max(column, 0)
    source = source[top - row :, left - column :]
    target = target[top:, left:]
    height, width = (
        min(pair) for pair in zip(source.shape[:2], target.shape[:2], strict=True)
    )
    target[:height, :width] = source[:height, :width]


def _batches(items, size):
    """Lists of so many; the last may be shorter."""
    return [items[n : n + size] for n in range(0, len(items), size)]
