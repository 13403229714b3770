"""Multiply-adds of the networks, counted by hand in the paper's formulation.

Every matrix product counts; additions, statistics and interpolation do not. An
implementation may need fewer, where something is linear or constant.
"""

import math

import numpy as np

from ignn_jax.models import EDSR, IGNN
from ignn_jax.models.aggregation import ECN_FEATURES
from ignn_jax.models.edsr import upsample_factors
from ignn_jax.ops.patches import patch_grid
from ignn_jax.ops.windows import window_sides


def multiply_adds(model: EDSR | IGNN, side: int) -> dict[str, float]:
    """Multiply-adds per LR pixel of each part of a network, for a square LR image.

    Args:
      model: the network; its graph is cross-scale.
      side: of the LR image, in pixels.

    Returns:
      By part, in the order in which they run. A fusion is part of what follows it.
    """
    c, factors = model.features, upsample_factors(model.scale)
    head, block, body_end = 9 * 3 * c, 18 * c**2, 9 * c**2
    tail, pixels = 0, 1  # per LR pixel
    for factor in factors:
        tail += pixels * 9 * c * factor**2 * c
        pixels *= factor**2
    tail += pixels * 9 * c * 3
    if not isinstance(model, IGNN):
        return {"backbone": head + model.num_blocks * block + body_end, "tail": tail}
    before = model.graph.position_among(model.num_blocks)
    fusion = (18 + 9) * c**2
    return {
        "backbone before the graph": head + before * block,
        **_graph(model, factors[0], side),
        "backbone after the graph": fusion
        + (model.num_blocks - before) * block
        + body_end,
        "tail": factors[0] ** 2 * fusion + tail,
    }


def _graph(model, scale, side):
    c, graph = model.features, model.graph
    kind = graph.embedding.removesuffix("_uncentered")
    channels = {"vgg19": 64, "backbone": c, "rgb": 3}[kind]
    embedding = {
        "vgg19": 9 * 3 * 64 + 9 * 64 * 64,
        "backbone": 9 * 3 * c,
        "rgb": 0,
    }
    queries = 1 / graph.patch_stride**2
    size = np.array([side // scale] * 2)
    grid = patch_grid(size, graph.patch_size, graph.patch_stride)
    window = math.prod(window_sides(graph.window, grid.counts).tolist())
    ecn = channels * ECN_FEATURES + 2 * ECN_FEATURES**2 + ECN_FEATURES
    den_runs = graph.neighbors if graph.den == "per_neighbor" else 1
    ecns = 2 if graph.den == "per_neighbor" else 1
    return {
        "embedding": (1 + 1 / scale**2) * embedding[kind],
        "search": queries * window * graph.patch_size**2 * channels,
        "ECN": ecns * graph.neighbors * ecn if graph.edge_weights == "ecn" else 0,
        "DEN": den_runs * (25 + 9 + 9) * c**2,
    }
