"""Networks: `IGNN` and its backbone `EDSR`, as Flax linen modules."""

from ignn_jax.models.edsr import EDSR
from ignn_jax.models.graph import GraphConfig
from ignn_jax.models.ignn import IGNN

__all__ = ["EDSR", "IGNN", "GraphConfig"]
