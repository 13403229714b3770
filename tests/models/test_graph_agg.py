"""GraphAgg* against loops, and its embeddings against the networks they are from."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ignn_jax as ignn
from ignn_jax.models import GraphConfig
from ignn_jax.models.embedding import VGG19Embedding
from ignn_jax.ops.bicubic import imresize
from tests.models.test_aggregation import loop_aggregate, loop_graph
from tests.networks import random_variables, tiny_ignn

# In gray levels. AdaPN divides the rounding errors of even patches by sqrt(1e-5).
ROUNDING = 0.25


def upscale(lr, **options):
    return jax.jit(functools.partial(ignn.graph_agg, **options))(jnp.asarray(lr))


def image(height, width, seed=0):
    """Noise as smooth as photographs, so that no two candidates are equally near."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (height // 2, width // 2, 3))
    return np.clip(imresize(coarse, size=(height, width)), 0, 255).astype(np.float32)


def loop_graph_agg(lr, embed, config, scale):
    """By the loops of the aggregation's tests: one weight for each neighbor."""
    margin = 2 * 3 * scale
    lr = np.pad(lr, [(margin, margin)] * 2 + [(0, 0)], mode="edge")
    small = [n // scale * scale for n in lr.shape[:2]]
    small = imresize(lr[: small[0], : small[1]].astype(np.float64), scale=1 / scale)
    indices, *_ = loop_graph(
        embed(lr),
        embed(np.clip(small, 0, 255).astype(np.float32)),
        *(scale, config.neighbors, config.window),
    )
    neighbors = len(indices[0])
    weights = np.full((*lr.shape[:2], neighbors), 1 / neighbors)
    hr = loop_aggregate(lr, indices, weights, scale, config.normalization)
    inside = slice(scale * margin, -scale * margin)
    return hr[inside, inside]


@pytest.mark.parametrize(
    ("scale", "neighbors", "window", "normalization"),
    [(2, 3, 3, "adapn"), (2, 1, 2, "none"), (3, 2, 2, "adapn")],
)
def test_it_is_the_mean_of_the_neighbors_hr_patches(
    scale, neighbors, window, normalization
):
    config = GraphConfig(
        neighbors=neighbors, window=window, normalization=normalization
    )
    lr = image(15, 18)
    hr = upscale(lr[None], scale=scale, config=config)
    expected = loop_graph_agg(lr, lambda x: x / 255, config, scale)
    assert hr.shape == (1, 15 * scale, 18 * scale, 3)
    np.testing.assert_allclose(hr[0], expected, atol=ROUNDING)


@pytest.mark.parametrize("kind", ["rgb", "backbone", "vgg19"])
def test_the_embedding_may_be_a_networks(kind):
    model = tiny_ignn(embedding=kind)
    variables = random_variables(model)
    embed = ignn.embedding_of(model, variables)
    lr = jnp.asarray(image(14, 12)[None])
    if kind == "rgb":
        expected = lr / 255
    elif kind == "vgg19":
        alone = {"vgg19": variables["vgg19"]["embedding"]}
        expected = VGG19Embedding().apply(alone, lr)
    else:
        head = variables["params"]["head"]
        mean = 255 * np.array([0.4488, 0.4371, 0.4040], np.float32)
        expected = (
            jax.lax.conv_general_dilated(
                (lr - mean.reshape(1, 1, 1, 3)),
                head["kernel"],
                (1, 1),
                "SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            + head["bias"].reshape(1, 1, 1, -1)
        ) / 255
    np.testing.assert_allclose(embed(lr), expected, rtol=1e-4, atol=1e-5)

    config = GraphConfig(neighbors=2, window=4)
    hr = upscale(lr, config=config, embed=embed)
    expected = loop_graph_agg(
        np.asarray(lr[0]), lambda x: np.asarray(embed(x[None])[0]), config, 2
    )
    np.testing.assert_allclose(hr[0], expected, atol=ROUNDING)


def test_structure_that_recurs_in_double_size_becomes_sharper():
    # Rings around the center: the pattern in double size is the pattern again.
    side = np.arange(-31.5, 32)
    distance = np.hypot(*np.meshgrid(side, side))
    rings = 127 + 100 * np.sin(2 * np.pi * np.log2(distance))
    hr = np.repeat(rings[..., None], 3, -1)
    lr = imresize(hr, scale=1 / 2).astype(np.float32)
    config = GraphConfig(neighbors=1, patch_stride=1, window=0)
    ours = np.asarray(upscale(lr[None], config=config)[0])
    bicubic = imresize(lr.astype(np.float64), scale=2)
    # Where the image still holds the double size, and the pattern is not too fine.
    where = (distance > 10) & (distance < 14)
    ours, bicubic = (np.abs(x - hr)[where].mean() for x in (ours, bicubic))
    assert ours < 0.3 * bicubic, (ours, bicubic)


def test_bad_images_and_images_of_few_pixels():
    with pytest.raises(ignn.InputError, match=r"\[B, H, W, 3\]"):
        ignn.graph_agg(jnp.zeros((1, 8, 8, 4)))
    hr = upscale(np.full((2, 1, 3, 3), 7, np.float32))
    np.testing.assert_allclose(hr, np.full((2, 2, 6, 3), 7), rtol=1e-5)


def test_edges_are_not_darkened():
    # The grids of patches begin at the first pixel, and end beyond the last.
    hr = upscale(np.full((1, 24, 23, 3), 200, np.float32))
    np.testing.assert_allclose(hr, np.full((1, 48, 46, 3), 200), rtol=1e-5)
