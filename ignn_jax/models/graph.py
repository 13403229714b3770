"""Graph construction (Section 3.1): similar patches of the downsampled image.

The LR image is compared with itself, downsampled by S. Each of its patches is connected
to the K nearest patches there. Each of these has a counterpart in the LR image, S times
as large: the HR patch that similar content has.
"""

import dataclasses
from collections.abc import Sequence

import jax
from jaxtyping import Float

from ignn_jax.errors import InputError
from ignn_jax.models.embedding import EMBEDDINGS
from ignn_jax.ops.regions import Region
from ignn_jax.ops.search import Graph, nearest_patches
from ignn_jax.ops.types import Array

CHOICES = {
    "kind": ("cross_scale", "same_scale", "non_local"),
    "normalization": ("adapn", "none"),
    "edge_weights": ("ecn", "gaussian"),
    "den": ("per_neighbor", "aggregated"),
    "fusion": ("reference", "residual"),
    "embedding": EMBEDDINGS,
    "window_center": ("centered", "reference"),
}


@dataclasses.dataclass(frozen=True)
class GraphConfig:
    """The graph of an IGNN; the defaults are the paper's.

    Attributes:
      kind: "cross_scale" (the paper's), or one of its rivals in Table 2: "same_scale"
        (neighbors in the LR image itself) or "non_local" (every pixel attends to every
        pixel; all other fields but `position` are then unused).
      position: residual blocks before the graph; `None` is half of them.
      neighbors: k.
      window: d, the side of the searched square in cells of the candidates' grid;
        0 is the whole image.
      patch_size: l, in pixels.
      patch_stride: distance between patches in pixels, for queries and candidates.
      normalization: "adapn" (Eq. 3) or "none".
      edge_weights: "ecn" (Eq. 2) or "gaussian", exp(-||D||^2 / 10).
      den: "per_neighbor" (as the reference: K LR maps, then their weighted sum) or
        "aggregated" (as the paper's text: once, on the weighted sum; K times cheaper).
      fusion: how features and the graph's output are fused: "reference", by two
        convolutions of both; "residual", which is not the paper's, adds what these
        give to the features. The second one starts at zero, so that training starts
        from the backbone's own output.
      embedding: one of EMBEDDINGS.
      window_center: "centered", or "reference" for its windows, off center at scale 3.

    Raises:
      InputError: a field has no such choice, or is too small or large.
    """

    kind: str = "cross_scale"
    position: int | None = None
    neighbors: int = 5
    window: int = 30
    patch_size: int = 3
    patch_stride: int = 2
    normalization: str = "adapn"
    edge_weights: str = "ecn"
    den: str = "per_neighbor"
    fusion: str = "reference"
    embedding: str = "vgg19"
    window_center: str = "centered"

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{getattr(self, name)}: give one of {', '.join(choices)}",
                    field=f"graph.{name}",
                )
        for name, least in (("neighbors", 1), ("window", 0), ("patch_stride", 1)):
            if getattr(self, name) < least:
                raise InputError(
                    f"{getattr(self, name)}: give at least {least}",
                    field=f"graph.{name}",
                )
        if self.patch_stride > self.patch_size:
            raise InputError(
                f"{self.patch_stride}: give at most the patch size, {self.patch_size}",
                field="graph.patch_stride",
            )

    def position_among(self, num_blocks: int) -> int:
        """The number of residual blocks before the graph, of `num_blocks`.

        Raises:
          InputError: there are not as many blocks.
        """
        position = num_blocks // 2 if self.position is None else self.position
        if not 0 <= position <= num_blocks:
            raise InputError(
                f"{position}: give a number from 0 to num_blocks ({num_blocks})",
                field="graph.position",
            )
        return position


def construct_graph(
    queries: Float[Array, "B H W E"],
    candidates: Float[Array, "B h w E"],
    *,
    scale: int,
    config: GraphConfig = GraphConfig(),
    regions: tuple[Region, Region] | None = None,
) -> Graph:
    """Finds each query patch's neighbors and labels the edges; no gradient flows.

    Args:
      queries: [B, H, W, E], the embedded LR image.
      candidates: [B, H // S, W // S, E], the embedded downsampled image; at scale 1
        the same as the queries, and no patch is its own neighbor.
      scale: S.
      config: k, the window, and the patches.
      regions: of queries and candidates if they are parts of images (see
        `nearest_patches`).

    Returns:
      The graph of the M1 x M2 query patches. K is smaller than config.neighbors where
      there are not as many candidates.

    Raises:
      InputError: the two images do not have four axes, or differ in batch, channels or,
        but for the scale, in size.
    """
    _check_pair(queries.shape, candidates.shape, None if regions else scale)
    return nearest_patches(
        jax.lax.stop_gradient(queries),
        jax.lax.stop_gradient(candidates),
        neighbors=config.neighbors,
        window=config.window,
        patch_size=config.patch_size,
        patch_stride=config.patch_stride,
        scale=scale,
        window_center=config.window_center,
        regions=regions,
    )


def _check_pair(
    queries: Sequence[int], candidates: Sequence[int], scale: int | None
) -> None:
    for name, shape in (("queries", queries), ("candidates", candidates)):
        if len(shape) != 4:
            raise InputError(f"give features [B, H, W, E], not {shape}", field=name)
    batch, height, width, channels = queries
    if scale is None:  # parts of images, of any size
        height, width = candidates[1:3]
        scale = 1
    expected = batch, height // scale, width // scale, channels
    if tuple(candidates) != expected:
        raise InputError(
            f"give features {expected} for queries {tuple(queries)} at scale {scale}, "
            f"not {tuple(candidates)}",
            field="candidates",
        )
