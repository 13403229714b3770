"""How an image is computed: whole, or in which tiles.

Whatever costs least, by a simple model: time grows with the pixels that are computed,
memory with those that are computed at once. Nothing needs to be compiled to know them.
"""

import itertools
import math
from collections.abc import Collection
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.inference.layout import HALO
from ignn_jax.models.ignn import IGNN

# HR maps of features that exist at once: while the graph's are fused with the network's
# own, and while the last ones are upsampled. The compiler plans up to this many.
FUSED, UPSAMPLED = 5, 2
# Tiles also need the features of their surroundings, and of their candidates.
TILED = 1.4
# Sides are multiples of this, so that images of similar sizes share compiled programs.
STEP = 16
# The sides of tiles; larger ones would save less than 2 %.
LEAST, LARGEST = 64, 2048
# Multiply-adds in the time that compiling takes, on CPUs and on accelerators.
COMPILING, COMPILING_FOR_ACCELERATORS = 5e10, 1e14
# On CPUs, memory is worth time: a gigabyte less may cost a fifth more, but tiles never
# more than this in all, where there is memory.
WORTH_OF_TIME = 5e9
SLOWEST = 1.2

Sides = tuple[int, int]


class Plan(NamedTuple):
    """A way to compute an image.

    Attributes:
      tile: sides of the tiles; None: the image is computed whole.
      sides: of what is computed at once.
    """

    tile: Sides | None
    sides: Sides


class Costs(NamedTuple):
    """What a network costs.

    Attributes:
      work: multiply-adds per LR pixel: about one for each parameter.
      memory: bytes of temporary arrays per LR pixel that is computed at once.
      compiling: multiply-adds in the time that it takes to compile a program.
      worth: bytes of memory that are worth as much as all of the time.
      devices: that compute as many tiles at once.
    """

    work: float
    memory: float
    compiling: float = 0
    worth: float = math.inf
    devices: int = 1

    @classmethod
    def of(cls, model: nn.Module, variables: Any, devices: Any) -> "Costs":
        """Those of IGNN or EDSR on these devices."""
        maps = UPSAMPLED * model.scale**2
        if isinstance(model, IGNN):
            maps = max(maps, FUSED * model.graph_scale**2)
        on_cpu = devices[0].platform == "cpu"
        # CPUs compute bfloat16 as float32.
        dtype = jnp.float32 if on_cpu else model.dtype
        return cls(
            work=sum(x.size for x in jax.tree.leaves(variables)),
            memory=maps * model.features * jnp.dtype(dtype).itemsize,
            compiling=COMPILING if on_cpu else COMPILING_FOR_ACCELERATORS,
            worth=WORTH_OF_TIME if on_cpu else math.inf,
            devices=len(devices),
        )

    def memory_of(self, plan: Plan) -> float:
        """Bytes that a plan takes."""
        return self.memory * (TILED if plan.tile else 1) * math.prod(plan.sides)

    def time_of(self, plan: Plan, size: Sides) -> float:
        """The time for an image of this size, in multiply-adds of a device."""
        count = math.prod(map(_count, size, plan.tile)) if plan.tile else 1
        return self.work * math.ceil(count / self.devices) * math.prod(plan.sides)

    def cost_of(self, plan: Plan, size: Sides) -> float:
        """The time, and what memory is worth of it."""
        return self.time_of(plan, size) * (1 + self.memory_of(plan) / self.worth)


def choose(
    size: Sides,
    costs: Costs,
    *,
    limit: float = math.inf,
    padded: bool = True,
    known: Collection[Plan] = (),
) -> Plan:
    """The plan that costs least of those within the memory, or else takes least of it.

    Args:
      size: height and width of the image.
      costs: the network's.
      limit: bytes that there are.
      padded: whether the network can compute whole images that are padded.
      known: plans whose programs are compiled already.
    """
    plans = {
        plan: costs.cost_of(plan, size) + costs.compiling
        for plan in _plans_for(size, padded)
    }
    plans |= {
        plan: costs.cost_of(plan, size) for plan in known if _holds(plan, size, padded)
    }
    fitting = [plan for plan in plans if costs.memory_of(plan) <= limit]
    if not fitting:
        return min(plans, key=costs.memory_of)
    most = SLOWEST * costs.work * math.prod(size)
    quick = [
        plan
        for plan in fitting
        if not plan.tile or plan in known or costs.time_of(plan, size) <= most
    ]
    return min(quick or fitting, key=plans.__getitem__)


def _plans_for(size, padded):
    """The whole image, and tiles of one size in any number of rows and columns."""
    whole = Plan(None, _rounded(size) if padded else size)
    tiles = itertools.product(*map(_tile_sides, size))
    return [whole, *(plan_of_tiles(tile) for tile in tiles)]


def plan_of_tiles(tile: Sides) -> Plan:
    """Tiles of these sides, computed with what is around them."""
    return Plan(tile, (tile[0] + 2 * HALO, tile[1] + 2 * HALO))


def _holds(plan, size, padded):
    """Whether an image of this size can be computed by a plan made for another one."""
    if plan.tile or not padded:
        return plan.tile or plan.sides == size
    return size[0] <= plan.sides[0] and size[1] <= plan.sides[1]


def _rounded(size):
    height, width = (math.ceil(n / STEP) * STEP for n in size)
    return height, width


def _tile_sides(length):
    """The sides that divide a length almost evenly."""
    between = max(length - 2 * HALO, 1)
    counts = range(1, math.ceil(between / LEAST) + 1)
    sides = {math.ceil(between / count / STEP) * STEP for count in counts}
    return [n for n in sorted(sides) if LEAST <= n <= LARGEST] or [LEAST]


def _count(length, side):
    """How many tiles of this side there are along an image, as `make_layout` cuts."""
    return max(math.ceil((length - 2 * HALO) / side), 1)
