"""How images are computed: what `auto` costs, by the model and by the compiler."""

import math

import flax.linen as nn
import jax
import numpy as np
import pytest

from ignn_jax.devices import planned_memory
from ignn_jax.inference.layout import make_layout
from ignn_jax.inference.plan import Costs, Plan, choose, plan_of_tiles
from ignn_jax.models import EDSR, IGNN, GraphConfig
from tests.networks import random_variables

TINY = IGNN(
    scale=2,
    features=32,
    num_blocks=8,
    graph=GraphConfig(embedding="backbone", den="aggregated", fusion="residual"),
)
PARAMETERS = {"tiny": 306_020, "paper's": 47_113_477}
GB = 1e9


def costs(model: nn.Module, parameters: int) -> Costs:
    """Those of a CPU, without making the variables."""
    return Costs.of(model, np.empty(parameters, np.int8), jax.devices("cpu")[:1])


def overhead(size, plan, costs):
    """Pixels computed, of those that there are."""
    return costs.time_of(plan, size) / (costs.work * math.prod(size))


def test_photographs_are_computed_whole():
    size, tiny = (427, 640), costs(TINY, PARAMETERS["tiny"])
    plan = choose(size, tiny)
    assert plan == Plan(None, (432, 640))
    assert overhead(size, plan, tiny) < 1.05


def test_large_pictures_take_little_memory_and_hardly_more_time():
    size, tiny = (1080, 1920), costs(TINY, PARAMETERS["tiny"])
    plan = choose(size, tiny)
    assert tiny.memory_of(plan) < 0.5 * GB
    assert overhead(size, plan, tiny) <= 1.2


@pytest.mark.parametrize("size", [(427, 640), (640, 640), (800, 1200), (321, 481)])
def test_large_networks_take_the_memory_that_time_is_worth(size):
    large = costs(IGNN(scale=2), PARAMETERS["paper's"])
    plan = choose(size, large)
    assert overhead(size, plan, large) <= 1.2
    assert large.memory_of(plan) < 6 * GB
    assert large.memory_of(choose(size, large, limit=GB)) <= GB


def test_accelerators_take_all_memory_before_they_cut():
    tiny = costs(TINY, PARAMETERS["tiny"])._replace(worth=math.inf)
    assert choose((1080, 1920), tiny).tile is None
    assert choose((1080, 1920), tiny, limit=2 * GB).tile


def test_without_memory_for_any_the_smallest_tiles_are_tried():
    plan = choose((1080, 1920), costs(TINY, PARAMETERS["tiny"]), limit=0)
    assert plan.tile == (64, 64)


def test_a_compiled_program_is_used_while_that_costs_less_than_compiling():
    tiny = costs(TINY, PARAMETERS["tiny"])
    larger = Plan(None, (160, 160))
    assert choose((100, 100), tiny, known=[larger]) == larger
    assert choose((100, 161), tiny, known=[larger]) == Plan(None, (112, 176))
    huge = Plan(None, (1024, 1024))
    assert choose((100, 100), tiny, known=[huge]) == Plan(None, (112, 112))
    # Not where the image must not be padded.
    assert choose((100, 100), tiny, padded=False, known=[larger]).sides == (100, 100)


def test_several_devices_share_the_tiles():
    four = costs(TINY, PARAMETERS["tiny"])._replace(worth=math.inf, devices=4)
    plan = choose((1024, 1024), four)
    rows, columns = make_layout(TINY, (1024, 1024), plan.tile).starts
    assert len(rows) * len(columns) == 4


@pytest.mark.parametrize("size", [(67, 91), (64, 64), (300, 1000)])
@pytest.mark.parametrize("tile", [(64, 64), (32, 96)])
def test_as_many_tiles_are_counted_as_are_cut(size, tile):
    costs = Costs(work=1, memory=1)
    plan = plan_of_tiles(tile)
    starts = make_layout(EDSR(scale=2), size, tile).starts
    count = len(starts[0]) * len(starts[1])
    assert costs.cost_of(plan, size) == count * math.prod(plan.sides)


GRAPH = dict(embedding="backbone", neighbors=2, window=6, position=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        TINY,
        TINY.clone(scale=3, num_blocks=2),
        TINY.clone(scale=4, num_blocks=2),
        TINY.clone(dtype="bfloat16", num_blocks=2),
        IGNN(scale=2, features=64, num_blocks=2, graph=GraphConfig(**GRAPH)),
        EDSR(scale=2, features=32, num_blocks=2),
        EDSR(scale=4, features=32, num_blocks=2),
    ],
    ids=lambda model: f"{type(model).__name__} x{model.scale} {model.features}",
)
def test_the_compiler_plans_about_the_memory_of_the_model(model, optimized):
    from ignn_jax.inference import tiles

    side, cpu = 192, jax.devices("cpu")[:1]
    variables = random_variables(model)
    network = tiles.TiledNetwork(model, variables, tile=None, devices=cpu)
    image = np.zeros((1, side, side, 3), np.float32)
    program = network._compile("whole", (network._variables, (image,)))
    expected = Costs.of(model, variables, cpu).memory * side**2
    assert 2 / 3 < planned_memory(program) / expected < 4 / 3
