"""Statistics of a network's graph: how far neighbors lie, and how much they weigh.

Arrays are NumPy's, float32, and belong to one image.
"""

import functools
from typing import Any, NamedTuple, TypeGuard

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import entr

from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.ops.patches import patch_grid

# Side of the part of an image that is used: the paper's window of 30 cells covers 120
# pixels.
SIDE = 128


class GraphStatistics(NamedTuple):
    """Every edge of a graph; each query's neighbors are sorted, the nearest in E first.

    offset: [M1, M2, K], LR pixels from the center of the query patch to the center of
      its neighbor's HR patch.
    distance: [M1, M2, K], Euclidean, in the embedding E.
    weight: [H, W, K], the edge weights of the HR output, at LR size.
    """

    offset: np.ndarray
    distance: np.ndarray
    weight: np.ndarray

    def summary(self) -> dict[str, float]:
        """Averages over the graph.

        Returns:
          The mean and percentiles of the offset; the mean distance and weight of the
          nearest neighbors, of the second nearest and so on, from 1; and the mean
          entropy of the weights, from 0 (one neighbor has all the weight) to 1 (all
          weigh the same).
        """
        values = {"offset_mean": self.offset.mean()}
        for percent in (10, 50, 90):
            values[f"offset_p{percent}"] = np.percentile(self.offset, percent)
        neighbors = self.weight.shape[-1]
        for k in range(neighbors):
            values[f"distance_{k + 1}"] = self.distance[..., k].mean()
            values[f"weight_{k + 1}"] = self.weight[..., k].mean()
        if neighbors > 1:
            entropy = entr(self.weight).sum(axis=-1).mean()
            values["weight_entropy"] = entropy / np.log(neighbors)
        return {name: float(value) for name, value in values.items()}


def graph_statistics(
    model: nn.Module, variables: Any, lr: np.ndarray
) -> GraphStatistics | None:
    """The statistics of a network's graph of an image.

    Args:
      model: the network.
      variables: what `model.apply` takes.
      lr: uint8 [H, W, 3]; only its middle is used, at most `SIDE` x `SIDE` pixels.

    Returns:
      The statistics; None if the network has no graph.
    """
    if not has_graph(model):
        return None
    top, left = (max(length - SIDE, 0) // 2 for length in lr.shape[:2])
    lr = lr[top : top + SIDE, left : left + SIDE].astype(np.float32)
    indices, distance, weight = (
        np.asarray(x) for x in observe(model, variables, lr[None])
    )
    offset = _offsets(indices, weight.shape[:2], model.graph_scale, model.graph)
    return GraphStatistics(offset, distance, weight)


def has_graph(model: nn.Module) -> TypeGuard[IGNN]:
    """Whether a network has a graph of patches; EDSR and "non_local" have none."""
    return isinstance(model, IGNN) and model.graph.kind != "non_local"


# Under jit only what is returned is computed: the search, but none of the HR maps.
@functools.partial(jax.jit, static_argnames=("model", "method"))
def observe(
    model: IGNN, variables: Any, *inputs: Any, method: str = "__call__"
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The graph that a network makes of one image, or of a part with method "decode".

    Returns:
      The neighbors [M1, M2, K], flat into the candidates' grid; their Euclidean
      distances in E, [M1, M2, K]; and their weights [H, W, K].
    """
    _, seen = model.apply(variables, *inputs, method=method, mutable="intermediates")
    seen = seen["intermediates"]
    (graph,), ((weights, _),) = seen["graph"], seen["graph_agg"]["weights"]
    distance = jnp.sqrt(graph.distances)
    return graph.indices[0], distance[0], weights[0].astype(jnp.float32)


def _offsets(
    indices: np.ndarray, size: tuple[int, int], scale: int, config: GraphConfig
) -> np.ndarray:
    """The spatial distances [M1, M2, K] between queries and their HR patches."""
    patch, stride = config.patch_size, config.patch_stride

    def centers(scale):
        """Centers of the rows, and of the columns, of patches in LR pixels."""
        grid = patch_grid(np.array(size) // scale, patch, stride)
        for count, before in zip(*grid, strict=True):
            first = scale * (np.arange(count) * stride - before)
            yield first + (scale * patch - 1) / 2

    (query_y, query_x), (y, x) = centers(1), centers(scale)
    row, column = np.divmod(indices, len(x))
    dy = y[row] - query_y[:, None, None]
    dx = x[column] - query_x[None, :, None]
    return np.hypot(dy, dx).astype(np.float32)
