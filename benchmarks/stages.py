"""Where does a forward pass of IGNN spend its time?

python -m benchmarks.stages [--size light|full|tiny-x2] [--side N]

For each stage the network is compiled up to the end of that stage. The stage's time is
what this program takes longer than the one before, so that every stage is measured as
part of the whole.
"""

from typing import Any

import flax.traverse_util

from benchmarks.common import (
    Program,
    make_image,
    make_network,
    make_parser,
    peak_flops,
    publish,
    summarize,
    time_in_turn,
)
from benchmarks.multiply_adds import multiply_adds

# What each stage computes: sown by the network, or the output of a captured module.
STAGES = {
    "backbone before the graph": lambda found: found["lr_features"],
    "embedding": lambda found: found.get("embedding/__call__"),  # VGG19's
    "search": lambda found: [graph.indices for graph in found["graph"]],
    "edge labels": lambda found: [graph.labels for graph in found["graph"]],
    "ECN": lambda found: found["graph_agg/weights"],
    "gather, AdaPN, fold": lambda found: found["aggregated_hr"],
    "DEN": lambda found: found["aggregated_lr"],
    "backbone after the graph": lambda found: found["body/__call__"],
    "tail": lambda found: found["sr"],
}
_CAPTURED = ("embedding", "body")


def make_programs(model: Any, variables: Any, side: int) -> dict[str, Program]:
    """The network compiled up to the end of each stage."""

    def run(variables, lr, stages):
        sr, state = model.apply(
            variables,
            lr,
            capture_intermediates=lambda module, _: module.name in _CAPTURED,
            mutable=["intermediates"],
        )
        found = flax.traverse_util.flatten_dict(state["intermediates"], sep="/")
        return [STAGES[stage]({**found, "sr": sr}) for stage in stages]

    image = make_image(side, side)
    names = list(STAGES)
    return {
        name: Program(
            lambda variables, lr, n=n: run(variables, lr, names[: n + 1]),
            variables,
            image,
        )
        for n, name in enumerate(names)
    }


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--side", type=int, help="side of the LR image (128; full: 100)"
    )
    args = parser.parse_args(argv)
    args.side = args.side or (100 if args.size == "full" else 128)

    peak = peak_flops(args.dtype)
    model, variables = make_network("ignn", args)
    by_hand = multiply_adds(model, args.side)
    times = time_in_turn(make_programs(model, variables, args.side), args.repeats)
    whole = summarize(times["tail"])["s"]
    rows, before = [], 0
    for name, seconds in times.items():
        row = {"stage": name, **summarize(seconds)}
        row["s"], before = row["s"] - before, row["s"]
        row["share"] = row["s"] / whole
        row["up to here, s"] = before
        row["middle half"] = row.pop("middle half")
        flops = 2 * by_hand.get(name, 0) * args.side**2
        row["GFLOP by hand"] = flops / 1e9
        row["share of peak"] = flops / row["s"] / peak
        rows.append(row)
    flops = 2 * sum(by_hand.values()) * args.side**2
    title = f"IGNN by stage, {args.size}, {args.side} x {args.side} LR, x2"
    publish(
        {title: rows}, args, peak_gflops=peak / 1e9, share_of_peak=flops / whole / peak
    )


if __name__ == "__main__":
    main()
