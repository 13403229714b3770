"""The size that upscaled pictures are to have."""

import math
from typing import NamedTuple

from ignn_jax.errors import InputError


class EndSize(NamedTuple):
    """The wanted size; without any, the network's scale decides.

    Attributes:
      factor: how much wider and higher.
      width: in pixels; the height follows in proportion.
      height: with `width`, a box that the picture has to fit into, in proportion.
    """

    factor: float | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def given(
        cls,
        outscale: float | None = None,
        size: tuple[int, int] | None = None,
        width: int | None = None,
    ) -> "EndSize":
        """From the users' options: a factor, (width, height), or a width.

        Raises:
          InputError: more than one is given, or one is not positive.
        """
        if sum(option is not None for option in (outscale, size, width)) > 1:
            raise InputError("give only one of outscale, size and width")
        end_size = cls(outscale, *(size or (width,)))
        if not all(x is None or 0 < x < math.inf for x in end_size):
            raise InputError(
                f"outscale {outscale}, size {size}, width {width}: must be positive"
            )
        return end_size

    def of(self, height: int, width: int, *, scale: int) -> tuple[int, int]:
        """The end size, (height, width), of a picture of this height and width."""
        factor = self.factor or scale
        if self.width:
            factor = self.width / width
            if self.height:
                factor = min(factor, self.height / height)
        end_height, end_width = (
            max(1, math.floor(factor * n + 0.5)) for n in (height, width)
        )
        return end_height, end_width

    def label(self, scale: int) -> str:
        """The end size as part of a file's name: x2, x2.5, 3840x2160 or w1920."""
        if self.height:
            return f"{self.width}x{self.height}"
        return f"w{self.width}" if self.width else f"x{self.factor or scale:g}"
