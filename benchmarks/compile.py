"""How long do the programs take to start, with and without the compilation cache?

python -m benchmarks.compile [--size light|full] [--side 64]

It times whole processes from start to end: `ignn-jax upscale` of one picture, and a
training of one step. "cold" fills the cache; "warm" finds it filled.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from benchmarks.common import (
    in_new_process,
    make_network,
    make_parser,
    publish,
    summarize,
)
from configs import base
from ignn_jax.models.factory import model_settings
from ignn_jax.weights.network import save

REPOSITORY = pathlib.Path(__file__).parents[1]


def prepare(args, folder: pathlib.Path) -> dict[str, list[str]]:
    """The command lines, after making the files that they need."""
    model, variables = make_network("ignn", args)
    save(folder / "w.safetensors", model, variables, source="random")
    (folder / "pictures").mkdir()
    for n in range(2):
        pixels = np.random.default_rng(n).integers(0, 256, (96, 96, 3))
        picture = Image.fromarray(pixels.astype(np.uint8))
        picture.save(folder / "pictures" / f"{n}.png")
    picture.resize((args.side, args.side)).save(folder / "small.png")
    upscale = [
        *("-m", "ignn_jax", "upscale", str(folder / "small.png"), "--overwrite"),
        *("-o", str(folder / "large.png"), "--weights", str(folder / "w.safetensors")),
    ]
    settings = model_settings(model)
    graph = settings.pop("graph") | {"position": model.num_blocks // 2}
    known = base.get_config().model  # a network has settings that no config sets
    config = {
        **{f"model.{key}": value for key, value in settings.items() if key in known},
        **{f"model.graph.{key}": value for key, value in graph.items()},
        "data.train": f"folder:{folder / 'pictures'}",
        "data.validation": "split:0.5",
        # As little work as possible: what counts is the start.
        "data.lr_patch": 24,
        "train.batch_size": 1,
        "train.steps": 1,
        "eval.tile": 0,
    }
    train = ["-m", "ignn_jax.main", "--config=configs/base.py"]
    train += [f"--config.{key}={value}" for key, value in config.items()]
    return {"upscale": upscale, "one step of training": train}


def run(command: list[str], folder: pathlib.Path, **environment: str) -> float:
    """Seconds that a process takes from start to end."""
    if "ignn_jax.main" in command:
        command = [*command, f"--workdir={tempfile.mkdtemp(dir=folder)}"]
    environment = {**os.environ, "IGNN_CACHE": str(folder / "cache"), **environment}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - begin


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--side", type=int, default=64, help="side of the picture to upscale"
    )
    # VGG19's weights are not available here.
    parser.set_defaults(embedding="backbone", repeats=3)
    args = parser.parse_args(argv)

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # In a new process, so that this one does not occupy the device's memory.
        commands = in_new_process(prepare, args, folder)
        for name, command in commands.items():
            # This run decodes the training's images; it is not counted.
            off = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
            run(command, folder, **off)
            without = [run(command, folder, **off) for _ in range(args.repeats)]
            cold = run(command, folder)
            warm = [run(command, folder) for _ in range(args.repeats)]
            size = sum(
                path.stat().st_size for path in (folder / "cache/compiled").iterdir()
            )
            base = summarize(without)["s"]
            for start, times in ("without", without), ("cold", [cold]), ("warm", warm):
                row = {"program": name, "start": start, **summarize(times)}
                row["of without"] = row["s"] / base
                row["cache, MB"] = size / 1e6 if start == "warm" else None
                rows.append(row)
    title = f"A program from start to end, {args.size}, x2"
    publish({title: rows}, args)


if __name__ == "__main__":
    main()
