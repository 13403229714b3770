"""Tiles give the result of the whole image, for every kind of network and border."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.inference import tiles
from ignn_jax.inference.plan import Costs
from ignn_jax.inference.tiles import TiledNetwork
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models import ignn as ignn_module
from ignn_jax.models.edsr import border
from tests.networks import run

# Windows are smaller than the image, but reach beyond a tile.
GRAPH = dict(embedding="backbone", neighbors=2, window=6, position=1)
SMALL = dict(features=4, num_blocks=2, residual_scale=1.0)
NETWORKS = {
    "x2": (2, {}),
    "x3": (3, dict(patch_size=5, patch_stride=3)),
    "x3, off-center windows": (3, dict(window_center="reference")),
    "x4": (4, dict(embedding="vgg19")),
    "searched in the whole image": (
        2,
        dict(window=0, edge_weights="gaussian", den="aggregated", fusion="residual"),
    ),
    "same scale": (2, dict(kind="same_scale")),
    "non-local": (2, dict(kind="non_local")),
}
TILE = 24


def make_ignn(name):
    scale, graph = NETWORKS[name]
    return IGNN(scale=scale, **SMALL, graph=GraphConfig(**{**GRAPH, **graph}))


def draw_variables(model):
    """Random variables, large enough that every pixel in view makes a difference."""
    lr = jax.ShapeDtypeStruct((1, 8, 8, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), lr)
    rng = np.random.default_rng(0)

    def draw(leaf):
        bound = 1.5 / np.sqrt(np.prod(leaf.shape[:-1]))
        return rng.uniform(-bound, bound, leaf.shape).astype(np.float32)

    return jax.tree.map(draw, shapes)


def make_image(height, width):
    rng = np.random.default_rng(1)
    return rng.uniform(0, 255, (height, width, 3)).astype(np.float32)


class Probe(nn.Module):
    """An upsampler that sees 4 pixels far and adds whole numbers, which is exact.

    It notes the shapes it is traced for.
    """

    note: Callable
    scale: int = 2
    dtype: str = "float32"
    features: int = 4

    @nn.compact
    def __call__(self, lr, region=None):
        self.note(lr.shape)
        with border(region, lr.shape[1]):
            for n in range(2):
                lr = nn.Conv(3, (5, 5), name=f"conv_{n}")(lr)
        return lr.repeat(2, axis=1).repeat(2, axis=2)


def make_probe():
    traced = []
    model = Probe(traced.append)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda x: rng.integers(-3, 4, x.shape).astype(np.float32), shapes
    )
    traced.clear()
    return model, variables, traced


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_give_the_whole_image(name):
    """The sides are multiples of neither the tile, the scale nor the stride.

    "auto" computes the image whole, but padded where the network allows it.
    """
    model = make_ignn(name)
    variables = draw_variables(model)
    image = make_image(67, 91)
    whole = np.asarray(jax.jit(model.apply)(variables, image[None]))[0]
    tiled = TiledNetwork(model, variables, tile=TILE)(image)
    assert np.ptp(whole) > 10
    np.testing.assert_allclose(tiled, whole, atol=1e-3)
    auto = TiledNetwork(model, variables)(image)
    np.testing.assert_allclose(auto, whole, atol=1e-3)


@pytest.mark.parametrize("size", [(67, 91), (24, 24), (25, 23), (5, 48), (1, 1)])
def test_edsr(size):
    model = EDSR(scale=3, **SMALL)
    variables = draw_variables(model)
    image = make_image(*size)
    tiled = TiledNetwork(model, variables, tile=TILE)(image)
    np.testing.assert_allclose(tiled, model.apply(variables, image[None])[0], atol=1e-3)


def test_images_of_all_sizes_share_one_compilation(monkeypatch):
    """Images larger and smaller than the tile, smaller than the window, and tiny."""
    model = make_ignn("x2")
    variables = draw_variables(model)
    traces = []

    def counted(*args):
        traces.append(args[0].shape)
        return downsample(*args)

    downsample = ignn_module.downsample
    monkeypatch.setattr(ignn_module, "downsample", counted)
    network = TiledNetwork(model, variables, tile=TILE + 2)
    sizes = [(40, 61), (30, 27), (13, 70), (12, 11)]
    tiled = [network(make_image(*size)) for size in sizes]
    assert len(traces) == 1
    for size, sr in list(zip(sizes, tiled, strict=True))[2:]:
        whole = TiledNetwork(model, variables, tile=None)(make_image(*size))
        np.testing.assert_allclose(sr, whole, atol=1e-3)
    assert network(make_image(1, 2)).shape == (2, 4, 3)


def test_several_devices_share_the_tiles(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import jax, numpy as np\n"
        "from tests.inference.test_tiles import *\n"
        "assert jax.local_device_count() == 2\n"
        "model, image = make_ignn('x2'), make_image(24, 67)\n"  # 3 tiles
        "network = TiledNetwork(model, draw_variables(model), tile=TILE)\n"
        f"np.save({str(tmp_path / 'sr.npy')!r}, network(image))\n"
    )
    flags = "--xla_force_host_platform_device_count=2"
    done = run(script, XLA_FLAGS=flags, PYTHONPATH=".")
    assert done.returncode == 0, done.stderr
    model = make_ignn("x2")
    alone = TiledNetwork(
        model, draw_variables(model), tile=TILE, devices=jax.local_devices()[:1]
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "sr.npy"), alone(make_image(24, 67)), atol=1e-3
    )


@pytest.mark.parametrize("size", [(37, 50), (33, 16), (9, 41), (64, 128), (1, 1)])
def test_auto_computes_small_images_whole_and_padded(size):
    model, variables, traced = make_probe()
    image = make_image(*size).round()
    sr = TiledNetwork(model, variables, tile="auto")(image)
    padded = tuple(16 * math.ceil(n / 16) for n in size)
    assert {shape[1:3] for shape in traced} == {padded}
    np.testing.assert_array_equal(sr, model.apply(variables, image[None])[0])


def test_auto_computes_another_image_by_the_program_that_it_has():
    model, variables, traced = make_probe()
    network = TiledNetwork(model, variables)
    for size in (60, 60), (40, 64), (61, 33):  # the first is padded to 64 x 64
        image = make_image(*size).round()
        whole = model.apply(variables, image[None])[0]
        np.testing.assert_array_equal(network(image), whole)
    traces = [shape for shape in traced if shape[1] == 64]
    assert len(traces) == 1


def test_auto_stays_within_the_available_memory(monkeypatch):
    """Memory for a part of 100 x 100 pixels, not for all 400 x 400."""
    model, variables, traced = make_probe()
    needed = Costs.of(model, variables, jax.local_devices()).memory * 100**2
    monkeypatch.setattr(tiles, "available_memory", lambda device: needed)
    monkeypatch.setattr(tiles, "planned_memory", lambda program: 0)
    image = make_image(400, 400).round()
    sr = TiledNetwork(model, variables)(image)
    assert all(shape[1] * shape[2] <= 100**2 for shape in traced)
    np.testing.assert_array_equal(sr, model.apply(variables, image[None])[0])


def test_auto_believes_the_compiler(monkeypatch):
    """It plans more memory than there is for all that is larger than 100 x 100."""
    model, variables, traced = make_probe()
    monkeypatch.setattr(tiles, "available_memory", lambda device: 1e9)
    monkeypatch.setattr(
        tiles, "planned_memory", lambda _: 2e9 * (math.prod(traced[-1][1:3]) > 100**2)
    )
    TiledNetwork(model, variables)(make_image(200, 200))
    assert traced[0][1:3] == (208, 208)
    assert math.prod(traced[-1][1:3]) <= 100**2


@pytest.fixture
def little_memory(monkeypatch):
    """Parts with sides over 100 pixels run out of memory. Gives the sides tried."""
    sides = []
    run_parts = TiledNetwork._run

    def run_if_small(self, kind, parts):
        sides.append(parts[0][0].shape[0])
        if sides[-1] > 100:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return run_parts(self, kind, parts)

    monkeypatch.setattr(TiledNetwork, "_run", run_if_small)
    return sides


def test_auto_takes_smaller_tiles_when_memory_runs_out(little_memory):
    model, variables, _ = make_probe()
    image = make_image(200, 200).round()
    network = TiledNetwork(model, variables)
    whole = model.apply(variables, image[None])[0]
    np.testing.assert_array_equal(network(image), whole)
    assert little_memory[0] == 208
    last = little_memory[-1]
    assert last <= 100
    little_memory.clear()
    network(image)
    assert set(little_memory) == {last}


def test_a_given_tile_does_not_become_smaller(little_memory):
    model, variables, _ = make_probe()
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        TiledNetwork(model, variables, tile=128)(make_image(200, 200))


def test_values_beyond_the_range_are_not_clipped():
    model, variables, _ = make_probe()
    sr = TiledNetwork(model, variables, tile=16)(make_image(20, 20))
    assert sr.min() < 0
    assert sr.max() > 255


@pytest.mark.parametrize(("tile", "count"), [(8, 3 * 2), (64, 1), (None, 1), (0, 1)])
def test_progress_wraps_the_tiles(tile, count):
    counts = []

    def progress(sequence):
        counts.append(len(sequence))
        return iter(sequence)

    model, variables, _ = make_probe()
    network = TiledNetwork(model, variables, tile=tile, devices=jax.local_devices()[:1])
    network(make_image(50, 44), progress=progress)
    assert counts == [count]


@pytest.mark.parametrize("tile", [-8, "all", 2.5])
def test_invalid_tiles_are_refused(tile):
    with pytest.raises(InputError, match=f"{tile} is not the side of a tile"):
        TiledNetwork(*make_probe()[:2], tile=tile)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 100)])
def test_images_too_small_to_be_cut(size):
    model = make_ignn("x2")
    variables, image = draw_variables(model), make_image(*size)
    expected = TiledNetwork(model, variables, tile=None)(image)
    upscaled = TiledNetwork(model, variables, tile=TILE)(image)
    np.testing.assert_allclose(upscaled, expected, atol=1e-3)
