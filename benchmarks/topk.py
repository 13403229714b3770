"""Is there a faster way than `lax.top_k` to find each query's nearest candidates?

python -m benchmarks.topk [--neighbors 5]

The shapes are the search's: a tile of 16 x 16 queries and the union of their windows.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import Program, make_parser, publish, summarize, time_in_turn
from ignn_jax.ops.search import TILE
from ignn_jax.ops.windows import windows_union


def top_k(distances, k):
    return jax.lax.top_k(-distances, k)[1]


def approximate(distances, k):
    return jax.lax.approx_min_k(distances, k)[1]


def successive_minima(distances, k):
    """Finds the smallest, removes it, and repeats that k times."""
    positions = jnp.arange(distances.shape[-1])
    found = []
    for _ in range(k):
        found.append(jnp.argmin(distances, axis=-1))
        taken = positions == found[-1][..., None]
        distances = jnp.where(taken, jnp.inf, distances)
    return jnp.stack(found, axis=-1)


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__, network=False)
    parser.add_argument("--neighbors", type=int, default=5)
    parser.add_argument("--window", type=int, default=30)
    parser.add_argument(
        "--tiles", type=int, default=16, help="(16: those of a 128 x 128 LR image)"
    )
    args = parser.parse_args(argv)

    side = windows_union(TILE, args.window, scale=2, center="centered")
    shape = (args.tiles, TILE, TILE, side**2)
    distances = np.random.default_rng(0).random(shape, np.float32)
    distances = jax.device_put(distances)
    programs = {}
    for function in (top_k, approximate, successive_minima):
        of_tile = functools.partial(function, k=args.neighbors)
        # In a loop over tiles, as in the search.
        of_all = functools.partial(jax.lax.map, of_tile)
        programs[function.__name__] = Program(of_all, distances)
    times = time_in_turn(programs, args.repeats)

    exact = np.asarray(programs["top_k"]())
    rows = []
    for name, program in programs.items():
        found = np.asarray(program())
        same = (found[..., :, None] == exact[..., None, :]).any(axis=-1).mean()
        rows.append({"": name, **summarize(times[name]), "found": float(same)})
    title = f"The {args.neighbors} smallest of {side**2}, {np.prod(shape[:3])} times"
    publish({title: rows}, args)


if __name__ == "__main__":
    main()
