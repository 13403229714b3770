"""The neighbors of a patch by another graph than the network's own."""

import numpy as np
import pytest
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.evaluation.variants import Variant
from ignn_jax.inspection.explain import explain_patch
from ignn_jax.weights.network import save
from tests.networks import random_variables, save_pictures, save_vgg19, tiny_ignn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = save_pictures(tmp_path_factory.mktemp("explain"), count=1, side=48)
    model = tiny_ignn(embedding="backbone")
    save(folder / "w.safetensors", model, random_variables(model))
    return folder


def explained(folder, **keys):
    vgg19 = keys.pop("vgg19", None)
    return explain_patch(
        folder / "0.png",
        (25, 21),
        folder / "w.safetensors",
        variant=Variant(**keys),
        vgg19=vgg19,
    )


def test_fewer_neighbors_are_the_nearest(folder):
    own_model, own = explained(folder)
    model, one = explained(folder, neighbors=1)
    assert own_model.graph.neighbors == 2
    assert model.graph.neighbors == 1
    assert one.neighbors == own.neighbors[:1]
    np.testing.assert_allclose(one.distances, own.distances[:1], rtol=1e-5)
    np.testing.assert_allclose(one.weights, [1], rtol=1e-5)


def test_distances_in_rgb(folder):
    model, seen = explained(folder, embedding="rgb", neighbors=3, window=8)
    assert (model.graph.embedding, model.graph.edge_weights) == ("rgb", "gaussian")
    with Image.open(folder / "0.png") as image:
        lr = np.asarray(image, np.float64)
    query = seen.query.of(lr)
    for box, distance in zip(seen.neighbors, seen.distances, strict=True):
        patch = box.of(seen.small.astype(np.float64), seen.start)
        expected = np.sqrt((((query - patch) / 255) ** 2).sum())
        assert distance == pytest.approx(expected, abs=0.02)  # `small` is rounded
    # No patch of the window is nearer.
    small, start = seen.small.astype(np.float64), np.array(seen.start)
    window = seen.window
    inside = [
        np.sqrt((((query - small[r : r + 3, c : c + 3]) / 255) ** 2).sum())
        for r in range(window.top - start[0], window.top - start[0] + window.height - 2)
        for c in range(
            window.left - start[1], window.left - start[1] + window.width - 2
        )
        if r % 2 == seen.neighbors[0].top % 2 and c % 2 == seen.neighbors[0].left % 2
    ]
    assert seen.distances[0] == pytest.approx(min(inside), abs=0.02)


def test_vgg19_has_to_be_given(folder):
    with pytest.raises(InputError, match="embedding: vgg19"):
        explained(folder, embedding="vgg19")
    model, seen = explained(folder, embedding="vgg19", vgg19=save_vgg19(folder))
    assert model.graph.edge_weights == "gaussian"
    assert len(seen.neighbors) == 2
    assert seen.distances[0] <= seen.distances[1]
