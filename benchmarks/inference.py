"""How fast is IGNN's forward pass, compared with an EDSR of the same backbone?

python -m benchmarks.inference [--size light|full] [--side N] [--dtype bfloat16]

If PyTorch is installed, an EDSR of the same size in PyTorch is measured too.
"""

import importlib.util

from benchmarks.common import (
    NETWORKS,
    Program,
    in_new_process,
    make_image,
    make_network,
    make_parser,
    peak_flops,
    peak_memory,
    publish,
    summarize,
    time_in_turn,
)
from benchmarks.multiply_adds import multiply_adds


def make_program(name, args):
    """The compiled network, and its FLOP counted by hand."""
    model, variables = make_network(name, args)
    program = Program(model.apply, variables, make_image(args.side, args.side))
    return program, 2 * sum(multiply_adds(model, args.side).values()) * args.side**2


def measure_memory(name, args) -> int:
    """The most bytes that a process uses which does nothing else."""
    program, _ = make_program(name, args)
    program()
    return peak_memory()


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--side", type=int, help="side of the LR image (128; full: 100)"
    )
    args = parser.parse_args(argv)
    args.side = args.side or (100 if args.size == "full" else 128)

    # First, while this process does not occupy the device's memory.
    memory = {name: in_new_process(measure_memory, name, args) for name in NETWORKS}
    programs = {name: make_program(name, args) for name in NETWORKS}
    runs = {name: program for name, (program, _) in programs.items()}
    if importlib.util.find_spec("torch"):
        from benchmarks.torch_edsr import make_run

        runs["edsr in PyTorch"] = make_run(args)
    times = time_in_turn(runs, args.repeats)
    peak = peak_flops(args.dtype)

    edsr = summarize(times["edsr"])["s"]
    rows = []
    for name, seconds in times.items():
        row = {"network": name, **summarize(seconds)}
        row["of edsr"] = row["s"] / edsr
        program, by_hand = programs.get(name, (None, programs["edsr"][1]))
        row["GFLOP by hand"] = by_hand / 1e9
        row["GFLOP by XLA"] = program.flops / 1e9 if program else None
        row["share of peak"] = by_hand / row["s"] / peak
        row["compilation, s"] = program.compilation if program else None
        row["memory planned, GB"] = program.planned / 1e9 if program else None
        row["memory, GB"] = memory[name] / 1e9 if program else None
        rows.append(row)
    title = f"Forward pass, {args.size}, {args.side} x {args.side} LR, x2"
    publish({title: rows}, args, peak_gflops=peak / 1e9)


if __name__ == "__main__":
    main()
