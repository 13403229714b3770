"""How do IGNN's time and memory grow with the image, and its memory with k?

python -m benchmarks.growth [--size light|full] [--sides 64,128,256,512]

Each image side runs in a process of its own, so that its memory is measured alone.
"""

import functools

import jax.numpy as jnp

from benchmarks.common import (
    SCALE,
    Program,
    in_new_process,
    make_image,
    make_network,
    make_parser,
    peak_memory,
    publish,
    summarize,
    time_in_turn,
)
from ignn_jax.models.graph import construct_graph


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def measure_side(args, side) -> dict:
    """The network on an image of side x side, and its graph's memory."""
    model, variables = make_network("ignn", args)
    program = Program(model.apply, variables, make_image(side, side))
    row = {"side": side, **summarize(time_in_turn({"": program}, args.repeats)[""])}
    row["us per pixel"] = 1e6 * row["s"] / side**2
    row["memory planned, GB"] = program.planned / 1e9
    row["memory, GB"] = peak_memory() / 1e9
    construct = functools.partial(construct_graph, scale=SCALE, config=model.graph)
    row["of the graph, MB"] = Program(construct, *_embedded(side)).temporary / 1e6
    return row


def measure_neighbors(args, neighbors, side) -> dict:
    """The memory that the compiler plans for k neighbors."""
    model, variables = make_network("ignn", args, neighbors=neighbors)
    construct = functools.partial(construct_graph, scale=SCALE, config=model.graph)
    graph = Program(construct, *_embedded(side))
    whole = Program(model.apply, variables, make_image(side, side))
    return {
        "k": neighbors,
        "construction, MB": graph.temporary / 1e6,
        "whole network, MB": whole.temporary / 1e6,
    }


def _embedded(side):
    """Arrays like VGG19's features of an image and of its downsampled version."""
    return tuple(jnp.zeros((1, n, n, 64)) for n in (side, side // SCALE))


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--sides", type=numbers, default=[64, 128, 256, 512])
    parser.add_argument("--neighbors", type=numbers, default=[1, 3, 5, 7, 9, 11])
    args = parser.parse_args(argv)

    sides = [in_new_process(measure_side, args, side) for side in args.sides]
    side = args.sides[0]
    by_neighbors = [measure_neighbors(args, k, side) for k in args.neighbors]
    tables = {
        f"Growth with the image, {args.size}": sides,
        f"Temporary memory planned with k, {side} x {side}": by_neighbors,
    }
    publish(tables, args)


if __name__ == "__main__":
    main()
