"""How many tiles should the search take at once?

python -m benchmarks.search [--images 16] [--side 48] [--tiles 1,16,64]

On random features, with the paper's graph.
"""

import functools
from unittest import mock

import jax
import numpy as np

from benchmarks.common import (
    SCALE,
    Program,
    make_parser,
    publish,
    summarize,
    time_in_turn,
)
from ignn_jax.models import GraphConfig
from ignn_jax.models.graph import construct_graph
from ignn_jax.ops import search


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__, network=False)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--side", type=int, default=48, help="of the LR images")
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--tiles", default="1,16,64", help="at once, each in turn")
    args = parser.parse_args(argv)

    shape = (args.images, args.side, args.side, args.features)
    queries = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    candidates = queries[:, ::SCALE, ::SCALE]
    images = jax.device_put((queries, candidates))
    find = functools.partial(construct_graph, scale=SCALE, config=GraphConfig())
    programs = {}
    for tiles in map(int, args.tiles.split(",")):
        jax.clear_caches()  # or the program for the last number would be found again
        at_once = tiles if tiles > 1 else None
        with mock.patch.object(search, "_tiles_at_once", return_value=at_once):
            programs[str(tiles)] = Program(find, *images)
    times = time_in_turn(programs, args.repeats)
    first = next(iter(programs.values()))().indices
    rows = [
        {
            "tiles at once": name,
            **summarize(times[name]),
            "compilation, s": program.compilation,
            "memory planned, GB": program.planned / 1e9,
            "found": float(np.mean(program().indices == first)),
        }
        for name, program in programs.items()
    ]
    publish({f"Search, {args.images} of {args.side} x {args.side}": rows}, args)


if __name__ == "__main__":
    main()
