"""Networks as programs that run without this package: StableHLO and ONNX.

A program contains its weights. One in StableHLO takes what the network takes: float32
[B, H, W, 3] in [0, 255]. One in ONNX takes what programs that read ONNX pass on:
float32 [1, 3, H, W] in [0, 1]. Colors are RGB, and results are not clipped.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.extend
import jax.numpy as jnp
from jax import export

from ignn_jax.errors import InputError
from ignn_jax.models.ignn import IGNN, apply_within
from ignn_jax.ops.regions import Region
from ignn_jax.ops.search import TILE
from ignn_jax.ops.types import Array
from ignn_jax.ops.windows import windows_union

# What one program in StableHLO runs on.
PLATFORMS = ("cpu", "cuda", "tpu")
# Version of ONNX's operators; onnxruntime has had this one since 1.17.
_OPSET = 20


def export_stablehlo(
    model: nn.Module,
    variables: Mapping[str, Any],
    *,
    shape: tuple[int, int] | None = None,
) -> bytes:
    """The network as a program that `jax.export.deserialize` reads.

    Args:
      model: IGNN or EDSR.
      variables: what `model.apply` takes.
      shape: height and width of the LR images; None for any from `least_side` on.

    Returns:
      The program, for any number of images at a time, on any of PLATFORMS.

    Raises:
      InputError: this network needs a shape.
    """
    if shape is None:
        least = least_side(model)
        batch, height, width = export.symbolic_shape(
            "b, h, w", constraints=[f"h >= {least}", f"w >= {least}"]
        )
    else:
        (batch,), (height, width) = export.symbolic_shape("b"), shape

    @jax.jit
    def network(lr: Array) -> Any:
        if shape is None and isinstance(model, IGNN):
            # As a region: its size may be numbers that the program computes.
            size = jnp.stack([jnp.asarray(n, jnp.int32) for n in lr.shape[1:3]])
            region = Region(jnp.zeros(2, jnp.int32), size)
            return apply_within(model, variables, lr, region)
        return model.apply(variables, lr)

    lr = jax.ShapeDtypeStruct((batch, height, width, 3), jnp.float32)
    return bytes(export.export(network, platforms=PLATFORMS)(lr).serialize())


def least_side(model: nn.Module) -> int:
    """The least height and width of an image that a program for any size takes.

    Raises:
      InputError: the network compares patches with the whole image, whatever its size.
    """
    if not isinstance(model, IGNN):
        return 1
    graph, scale = model.graph, model.graph_scale
    if graph.kind == "non_local" or graph.neighbors >= graph.window**2:
        raise InputError(
            "this network searches the whole image; give its height and width",
            field="shape",
        )
    # As many candidates as the windows of a tile of queries cover.
    candidates = windows_union(
        TILE, graph.window, scale=scale, center=graph.window_center
    )
    return scale * (graph.patch_stride * candidates + graph.patch_size)


def export_onnx(
    model: nn.Module, variables: Mapping[str, Any], *, shape: tuple[int, int]
) -> bytes:
    """The network as an ONNX file; this needs the extra [onnx].

    Args:
      model: IGNN or EDSR.
      variables: what `model.apply` takes.
      shape: height and width of the LR images.

    Raises:
      InputError: jax2onnx is not installed, or does not know this version of JAX.
    """
    try:
        import jax2onnx
    except ImportError as error:
        raise InputError(
            "ONNX files need jax2onnx: pip install 'ignn-jax[onnx]'", field="format"
        ) from error

    def network(rgb: Array) -> Array:
        sr: Any = model.apply(variables, 255 * rgb.transpose(0, 2, 3, 1))
        return sr.transpose(0, 3, 1, 2) / 255

    lr = jax.ShapeDtypeStruct((1, 3, *shape), jnp.float32)
    # While jax2onnx traces, it has its own fori_loop, which cannot use what is around
    # it. So JAX traces first; as for a CPU, where the loops are plain.
    with jax.default_device("cpu"):
        traced = jax.make_jaxpr(network)(lr)
    program: Callable[..., Any] = jax.extend.core.jaxpr_as_fun(traced)
    try:
        with _quiet("onnx_ir"):
            proto: Any = jax2onnx.to_onnx(
                lambda rgb: program(rgb)[0],
                [lr],
                model_name=type(model).__name__,
                opset=_OPSET,
                input_names=["lr"],
                output_names=["sr"],
            )
    except Exception as error:  # as it meets something that it does not know
        raise InputError(
            f"jax2onnx does not convert this network with JAX {jax.__version__}; "
            f"try newer versions of jax2onnx, or an older one of JAX ({error})",
            field="format",
        ) from error
    _tidy(proto.graph)
    return proto.SerializeToString()


def _tidy(graph: Any) -> set[str]:
    """Removes what jax2onnx leaves behind, in the bodies of loops too.

    That is constants that nothing uses, of which onnxruntime warns one by one, and
    types of intermediate values, some of them wrong. Every reader infers these itself.

    Returns:
      The names of the values that the graph uses.
    """
    del graph.value_info[:]
    used = {value.name for value in graph.output}
    for node in graph.node:
        used.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                used |= _tidy(attribute.g)
    constants = [x for x in graph.initializer if x.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    return used


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Hides a library's warnings."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
