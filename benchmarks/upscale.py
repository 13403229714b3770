"""How long does a large picture take in tiles: 1920 x 1080 to 3840 x 2160?

python -m benchmarks.upscale [--size light|full] [--tile N]

The first run, which compiles, is not counted.
"""

import numpy as np

from benchmarks.common import (
    NETWORKS,
    in_new_process,
    make_network,
    make_parser,
    peak_memory,
    publish,
    summarize,
    time_in_turn,
)
from ignn_jax.inference.tiles import AUTO, TiledNetwork


def make_upscaling(name, args):
    """A function that upscales the picture."""
    network = TiledNetwork(*make_network(name, args), tile=args.tile or AUTO)
    shape = (args.height, args.width, 3)
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    return lambda: network(picture)


def measure(name, args) -> tuple[list[float], int]:
    """The seconds of each run, and the most bytes that the process uses."""
    times = time_in_turn({name: make_upscaling(name, args)}, args.repeats)[name]
    return times, peak_memory()


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--tile", type=int, help="side (default: automatic)")
    args = parser.parse_args(argv)

    rows = []
    for name in NETWORKS:
        times, memory = in_new_process(measure, name, args)
        rows.append({"network": name, **summarize(times), "memory, GB": memory / 1e9})
    for row in rows:
        row["of edsr"] = row["s"] / rows[-1]["s"]
    publish({f"{args.width} x {args.height} to x2, {args.size}": rows}, args)


if __name__ == "__main__":
    main()
