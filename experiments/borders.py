r"""What should the network see beyond the picture's edges?

  python -m experiments.borders benchmark --weights tiny-x2

Its convolutions see zeros there, as the paper's do. Instead, the picture can be
continued by some pixels, which are cut off from the result. For each way, prints by how
many levels flat pictures come out wrong, and on each set the PSNR (on Y), of the whole
image and of the outermost 16 pixels of the HR image alone. Minutes on two CPU cores.
"""

import argparse
import sys

import numpy as np

from experiments.programs import attempt
from ignn_jax.data.benchmarks import find_benchmarks, read_pair
from ignn_jax.inference.upscalers import Upscaler, upscaler
from ignn_jax.metrics import psnr
from ignn_jax.ops.color import rgb_to_y
from ignn_jax.tables import markdown_table
from ignn_jax.weights.network import load

# How NumPy pads, and how many pixels on each side.
WAYS = [("edge", 8), ("reflect", 8), *(("symmetric", n) for n in (2, 4, 6, 8))]
COLORS = {
    "red": (255, 0, 0),
    "blue": (30, 144, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
BORDER = 16


def continued(upscale: Upscaler, scale: int, mode: str, pixels: int) -> Upscaler:
    """An upscaler that sees the image continued, as `np.pad` does in this mode."""
    margin = scale * pixels

    def run(lr):
        sr = upscale(np.pad(lr, ((pixels, pixels), (pixels, pixels), (0, 0)), mode))
        return sr[margin:-margin, margin:-margin]

    return run


def measure(args: argparse.Namespace) -> None:
    """Evaluates the ways and prints the table."""
    model, variables = load(args.weights)
    plain = upscaler(model, variables, tile=args.tile)
    ways = {"zeros": plain}
    for mode, pixels in WAYS:
        ways[f"{mode}, {pixels}"] = continued(plain, model.scale, mode, pixels)
    table: dict[str, list[str]] = {name: [] for name in ways}
    for name, upscale in ways.items():
        for color in COLORS.values():
            flat = np.full((48, 64, 3), color, np.uint8)
            error = upscale(flat).astype(np.int32) - np.array(color)
            table[name].append(str(np.abs(error).max()))
    for benchmark in find_benchmarks(args.data, args.sets, scale=model.scale):
        scores: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for files in benchmark.pairs[:: args.every]:
            pair = read_pair(files, scale=model.scale)
            for name, upscale in ways.items():
                scores[name].append(_score(upscale(pair.lr), pair.hr, model.scale))
        for name, found in scores.items():
            table[name] += [f"{mean:.3f}" for mean in np.mean(found, axis=0)]
    sets = [head for name in args.sets for head in (name, f"{name}, border")]
    rows = [["", *COLORS, *sets], *([name, *cells] for name, cells in table.items())]
    print(markdown_table(rows))


def _score(sr: np.ndarray, hr: np.ndarray, scale: int) -> tuple[float, float]:
    """PSNR as always, and that of the outermost pixels alone."""
    error = (rgb_to_y(sr) - rgb_to_y(hr)) ** 2
    error[BORDER:-BORDER, BORDER:-BORDER] = np.nan
    return psnr(sr, hr, border=scale), 10 * np.log10(255**2 / np.nanmean(error))


def main(argv: list[str]) -> int:
    """Runs a command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.borders",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("data", help="folder of the benchmark sets")
    add("--weights", default="tiny-x2", help="default: %(default)s")
    add("--sets", nargs="+", default=["Set5", "Set14"], help="default: Set5 Set14")
    add("--every", type=int, default=1, help="only every Nth image of each")
    add("--tile", type=int, default=0, help="side of tiles; 0 for whole images")
    return attempt(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
