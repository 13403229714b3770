"""Networks too small to be good at anything, and programs run on them."""

import os
import pathlib
import subprocess
import sys

import flax.linen as nn
import jax
import numpy as np
from PIL import Image

from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.models.embedding import VGG19_SHAPES

REPOSITORY = pathlib.Path(__file__).parents[1]


def tiny_ignn(scale=2, **graph) -> IGNN:
    """An IGNN of 4 features; the embedding is plain color unless given."""
    graph = {"embedding": "rgb", "neighbors": 2, "window": 4, "position": 1, **graph}
    return IGNN(scale=scale, features=4, num_blocks=2, graph=GraphConfig(**graph))


def random_variables(model: nn.Module, seed: int = 0) -> dict:
    """Variables of the right names and shapes: to compile an `init` takes seconds."""
    lr = jax.ShapeDtypeStruct((1, 8, 8, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), lr)
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda x: rng.normal(0, 0.05, x.shape).astype(np.float32), shapes
    )


def save_pictures(folder: pathlib.Path, count: int = 3, side: int = 64) -> pathlib.Path:
    """A folder of smooth colored pictures, each another one."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        coarse = np.random.default_rng(n).integers(0, 256, (side // 4, side // 4, 3))
        picture = Image.fromarray(coarse.astype(np.uint8))
        picture.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{n}.png")
    return folder


def save_vgg19(folder: pathlib.Path) -> pathlib.Path:
    """`vgg19.npz` in a folder: convolutions of VGG19's names and shapes, of noise."""
    rng, arrays = np.random.default_rng(0), {}
    for name, shape in VGG19_SHAPES.items():
        arrays[f"{name}/kernel"] = rng.normal(0, 0.1, shape).astype(np.float32)
        arrays[f"{name}/bias"] = np.zeros(shape[-1:], np.float32)
    np.savez(folder / "vgg19.npz", **arrays)
    return folder / "vgg19.npz"


def start(*command: object, **environment: str) -> subprocess.Popen:
    """Starts `python COMMAND` at the repository's root."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> subprocess.CompletedProcess:
    """Waits for it."""
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run(*command: object, **environment: str) -> subprocess.CompletedProcess:
    """Runs `python COMMAND` at the repository's root."""
    return finish(start(*command, **environment))
