"""A patch of an image file explained: a picture of its neighbors, and a table."""

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from ignn_jax.errors import InputError
from ignn_jax.evaluation.variants import OWN, Variant, change_graph
from ignn_jax.files import check_output, write_figure
from ignn_jax.inspection.figure import draw
from ignn_jax.inspection.neighbors import Explanation, explain
from ignn_jax.inspection.statistics import has_graph
from ignn_jax.models import IGNN
from ignn_jax.models.embedding import VGG19
from ignn_jax.pictures.reader import read_rgb
from ignn_jax.tables import text_table
from ignn_jax.weights.network import load
from ignn_jax.weights.vgg19 import load_vgg19


def explain_file(
    path: pathlib.Path,
    at: tuple[int, int],
    weights: str | os.PathLike[str],
    output: pathlib.Path,
    *,
    overwrite: bool = False,
) -> str:
    """Draws the neighbors of a patch of an image file.

    Args:
      path: the image.
      at: x and y of a pixel, from 0; the patch whose center is nearest is taken.
      weights: as `load` takes them.
      output: the PNG to write.
      overwrite: whether to replace the PNG if it exists.

    Returns:
      What the picture shows, in words and as a table.

    Raises:
      InputError: the image or the weights cannot be read, the network has no graph, the
        pixel is outside the image, or the output is no PNG, exists or cannot be
        written.
    """
    check_output(
        output, field="output", suffix=".png", overwrite=overwrite, inputs=[path]
    )
    model, explanation = explain_patch(path, at, weights)
    title = title_of(model, explanation, path, at)
    write_titled(output, draw(explanation, title))
    return f"{title}\n{text_table(neighbor_table(explanation))}"


def title_of(
    model: IGNN, explanation: Explanation, path: pathlib.Path, at: tuple[int, int]
) -> str:
    """Two lines on what is explained: the patch of the file, and the network."""
    height, width, _ = explanation.lr.shape
    x, y = at
    (top, left, side, _), graph = explanation.query, model.graph
    name = os.fsencode(path.name).decode(errors="replace")  # whatever its encoding
    return (
        f"{name} ({width} x {height}): the patch nearest to {x},{y} is "
        f"{side} x {side} pixels from {left},{top} on\n"
        f"IGNN x{model.scale}, {model.features} features, embedding {graph.embedding}, "
        f"k = {graph.neighbors}, window {graph.window or 'the whole image'}, "
        f"patches every {graph.patch_stride} pixels"
    )


def write_titled(path: pathlib.Path, figure: Figure) -> None:
    """Writes a figure whose title names a file, in whatever script."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        write_figure(path, figure)


def explain_patch(
    path: pathlib.Path,
    at: tuple[int, int] | None,
    weights: str | os.PathLike[str],
    *,
    variant: Variant = OWN,
    vgg19: pathlib.Path | None = None,
) -> tuple[IGNN, Explanation]:
    """The network, and the neighbors that it finds for a patch of an image file.

    Arguments are those of `explain_file`; without a pixel it is the image's center.

    Args:
      variant: what to change of the graph. Where ECN does not fit the embedding, the
        weights of edges are "gaussian".
      vgg19: the weights of the embedding "vgg19", if the network has none.

    Raises:
      InputError: as `explain_file`.
    """
    image = read_rgb(path)
    height, width, _ = image.shape
    x, y = at or (width // 2, height // 2)
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"{x},{y} is outside {path}; give a pixel from 0,0 to "
            f"{width - 1},{height - 1}",
            field="at",
        )
    model, variables = load(weights)
    if not has_graph(model):
        raise InputError(
            f"{weights}: this network has no graph of patches to explain; give an IGNN "
            "whose graph.kind is cross_scale or same_scale",
            field="weights",
        )
    if variant.embedding == VGG19 and vgg19 and VGG19 not in variables:
        variables |= load_vgg19(vgg19)
    changed, changed_variables = _changed(model, variables, variant)
    return changed, explain(changed, changed_variables, image, (x, y))


def _changed(
    model: IGNN, variables: Mapping[str, Any], variant: Variant
) -> tuple[IGNN, Mapping[str, Any]]:
    """The network with another graph, and with other edge weights if it has to."""
    try:
        changed, variables, _ = change_graph(model, variables, variant)
    except InputError as error:
        if error.field != "embedding" or model.graph.edge_weights == "gaussian":
            raise
        graph = dataclasses.replace(model.graph, edge_weights="gaussian")
        variables = {**variables, "params": _without_ecn(variables["params"])}
        return _changed(model.clone(graph=graph), variables, variant)
    assert isinstance(changed, IGNN)
    return changed, variables


def _without_ecn(params: Mapping[str, Any]) -> dict[str, Any]:
    graph_agg = params["graph_agg"]
    kept = {name: x for name, x in graph_agg.items() if not name.startswith("ecn")}
    return {**params, "graph_agg": kept}


def neighbor_table(explanation: Explanation) -> list[tuple[str, ...]]:
    """A row of column names, and one for each neighbor."""
    rows: list[tuple[str, ...]] = [("neighbor", "distance", "weight", "HR patch")]
    for k, box in enumerate(explanation.neighbors):
        hr_patch = box.times(explanation.scale)
        rows.append(
            (
                f"{k + 1}",
                f"{explanation.distances[k]:.3g}",
                f"{explanation.weights[k]:.3f}",
                f"{hr_patch.left},{hr_patch.top}",
            )
        )
    return rows
