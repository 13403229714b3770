"""The size that upscaled pictures are to have."""

import math
import numbers
from collections.abc import Iterable
from typing import Any, NamedTuple

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
          InputError: more than one is given, or one is not a positive number; widths
            and heights are whole numbers.
        """
        if sum(option is not None for option in (outscale, size, width)) > 1:
            raise InputError("give only one of outscale, size and width")
        if outscale is not None and not _is_positive(outscale, numbers.Real):
            raise InputError(f"{outscale!r} is not a positive number", field="outscale")
        if width is not None and not _is_positive(width, numbers.Integral):
            raise InputError(f"{width!r} is not a positive whole number", field="width")
        if size is None:
            return cls(outscale, width)
        sides = tuple(size) if isinstance(size, Iterable) else ()
        if len(sides) != 2 or not all(_is_positive(n, numbers.Integral) for n in sides):
            raise InputError(
                f"{size!r} is not (width, height), two positive whole numbers",
                field="size",
            )
        return cls(None, *sides)

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


def _is_positive(number: Any, kind: type) -> bool:
    is_number = isinstance(number, kind) and not isinstance(number, bool)
    return is_number and 0 < number < math.inf
