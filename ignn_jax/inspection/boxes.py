"""Rectangles of an image's pixels, and those that the patches of a graph cover."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ignn_jax.models import GraphConfig
from ignn_jax.ops.patches import patch_grid


class Box(NamedTuple):
    """A rectangle of pixels; it may extend beyond the image."""

    top: int
    left: int
    height: int
    width: int

    def times(self, scale: int) -> "Box":
        """The same rectangle of the image `scale` times as large."""
        return Box(*(scale * n for n in self))

    def grown(self, margin: int) -> "Box":
        """The box with a margin on every side."""
        top, left, height, width = self
        both = 2 * margin
        return Box(top - margin, left - margin, height + both, width + both)

    def within(self, other: "Box") -> "Box":
        """The part that lies in the other box."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.height, other.top + other.height)
        right = min(self.left + self.width, other.left + other.width)
        return Box(top, left, bottom - top, right - left)

    def hull(self, other: "Box") -> "Box":
        """The smallest box that contains both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.height, other.top + other.height)
        right = max(self.left + self.width, other.left + other.width)
        return Box(top, left, bottom - top, right - left)

    def of(self, image: np.ndarray, start: Sequence[int] = (0, 0)) -> np.ndarray:
        """Its pixels; `start` is the row and column at which `image` begins."""
        rows, columns = (
            slice(first - begin, first - begin + length)
            for first, begin, length in zip(self[:2], start, self[2:], strict=True)
        )
        return image[rows, columns]


class PatchGrid(NamedTuple):
    """The patches that a graph makes of an image, in rows and columns.

    counts: rows and columns of patches.
    before: rows and columns of zeros before the image.
    patch, stride: side of a patch, and distance between patches, in pixels.
    """

    counts: np.ndarray
    before: np.ndarray
    patch: int
    stride: int

    @classmethod
    def of(cls, size: Sequence[int], config: GraphConfig) -> "PatchGrid":
        """The grid of an image of this height and width."""
        patch, stride = config.patch_size, config.patch_stride
        counts, before = patch_grid(np.array(size), patch, stride)
        return cls(np.asarray(counts), np.asarray(before), patch, stride)

    def nearest(self, pixel: Sequence[int]) -> np.ndarray:
        """Row and column of the patch whose center is nearest; the first of two."""
        number = (np.array(pixel) + self.before - (self.patch - 1) / 2) / self.stride
        return np.ceil(number - 0.5).astype(int).clip(0, self.counts - 1)

    def starting_at(self, pixel: Any) -> np.ndarray:
        """Row and column of the patch that starts at a pixel."""
        return (np.asarray(pixel) + self.before) // self.stride

    def area(self, first: Any, counts: Any = (1, 1)) -> Box:
        """The pixels of this many rows and columns of patches, from the first on."""
        top, left = (np.asarray(first) * self.stride - self.before).tolist()
        height, width = ((np.asarray(counts) - 1) * self.stride + self.patch).tolist()
        return Box(top, left, height, width)
