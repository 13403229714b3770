"""What the graph of a trained network looks like: where neighbors lie, what they weigh.

Arrays are float32, NumPy's, of one image.
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

# Side of the part that is looked at: the paper's window, 30 cells, is 120 pixels wide.
SIDE = 128


class GraphStatistics(NamedTuple):
    """Of each edge; the neighbors of a query are sorted, the nearest in E first.

    offset: [M1, M2, K], LR pixels between the centers of the query patch and of the
      S times larger patch that its neighbor stands for.
    distance: [M1, M2, K], Euclidean, in the embedding E.
    weight: [H, W, K], of the HR maps.
    """

    offset: np.ndarray
    distance: np.ndarray
    weight: np.ndarray

    def summary(self) -> dict[str, float]:
        """The mean and quantiles of the offset; of each rank, from 1, the mean distance
        and weight; and the mean entropy of the weights, from 0, one neighbor takes all,
        to 1, all weigh the same.
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
    """Looks at a network's graph of an image.

    Args:
      model: the network.
      variables: as `model.apply` takes them.
      lr: uint8 [H, W, 3]; its middle is taken, `SIDE` pixels a side at most.

    Returns:
      The statistics; None where the network has no graph: EDSR, or "non_local".
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
    """Whether a network has a graph of patches: not EDSR, nor "non_local"."""
    return isinstance(model, IGNN) and model.graph.kind != "non_local"


# Under jit, what is not returned is not computed: the search, but none of the HR maps.
@functools.partial(jax.jit, static_argnames=("model", "method"))
def observe(
    model: IGNN, variables: Any, *inputs: Any, method: str = "__call__"
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The graph that a network makes of one image, or of a part (method "decode").

    Returns:
      The neighbors, flat into the candidates' grid, and their distances, Euclidean, in
      E, [M1, M2, K]; and their weights [H, W, K].
    """
    _, seen = model.apply(variables, *inputs, method=method, mutable="intermediates")
    seen = seen["intermediates"]
    (graph,), ((weights, _),) = seen["graph"], seen["graph_agg"]["weights"]
    distance = jnp.sqrt(graph.distances)
    return graph.indices[0], distance[0], weights[0].astype(jnp.float32)


def _offsets(
    indices: np.ndarray, size: tuple[int, int], scale: int, config: GraphConfig
) -> np.ndarray:
    """The spatial distances [M1, M2, K] of queries and their neighbors' places."""
    patch, stride = config.patch_size, config.patch_stride

    def centers(scale):
        """Of the patches' rows and columns, in pixels of the LR image."""
        grid = patch_grid(np.array(size) // scale, patch, stride)
        for count, before in zip(*grid, strict=True):
            first = scale * (np.arange(count) * stride - before)
            yield first + (scale * patch - 1) / 2

    (query_y, query_x), (y, x) = centers(1), centers(scale)
    row, column = np.divmod(indices, len(x))
    dy = y[row] - query_y[:, None, None]
    dx = x[column] - query_x[None, :, None]
    return np.hypot(dy, dx).astype(np.float32)
