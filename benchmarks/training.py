"""How fast is a training step of IGNN, compared with an EDSR of the same backbone?

python -m benchmarks.training [--size light|full] [--batch 4] [--patch 60]
"""

import functools

import jax
import numpy as np

from benchmarks.common import (
    NETWORKS,
    SCALE,
    in_new_process,
    make_network,
    make_parser,
    peak_flops,
    peak_memory,
    publish,
    summarize,
    time_in_turn,
)
from benchmarks.multiply_adds import multiply_adds
from ignn_jax.training import parallel
from ignn_jax.training.optimizer import create_optimizer, learning_rate_schedule
from ignn_jax.training.step import TrainState, train_step


class Training:
    """A training that takes one step after another on the same batch.

    Attributes:
      cost: of a step, as XLA counts it.
      by_hand: FLOP of a step.
    """

    def __init__(self, name, args):
        model, variables = make_network(name, args)
        schedule = learning_rate_schedule(
            learning_rate=1e-4, decay_every=1000, decay_factor=0.5, steps=1000
        )
        optimizer = create_optimizer(schedule)
        self._state = parallel.replicate(TrainState.create(variables, optimizer))
        rng = np.random.default_rng(0)
        lr, hr = (
            rng.integers(0, 256, (args.batch, side, side, 3), np.uint8)
            for side in (args.patch, SCALE * args.patch)
        )
        self._batch = parallel.split({"lr": lr, "hr": hr})
        step = functools.partial(
            train_step, model=model, optimizer=optimizer, axis=parallel.AXIS
        )
        self._step, self.cost = parallel.compile_step(step, self._state, self._batch)
        forward = 2 * sum(multiply_adds(model, args.patch).values())
        # The backward pass costs two forward passes: for the input and the weights.
        self.by_hand = 3 * forward * args.batch * args.patch**2

    def __call__(self):
        """Takes a step and waits for its result."""
        self._state, metrics = self._step(self._state, self._batch)
        jax.block_until_ready(metrics)


def measure_memory(name, args) -> int:
    """The most bytes that a process uses which does nothing else."""
    training = Training(name, args)
    for _ in range(2):
        training()
    return peak_memory()


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--patch", type=int, default=60, help="side of the LR crops")
    args = parser.parse_args(argv)

    # First, while this process does not occupy the device's memory.
    memory = {name: in_new_process(measure_memory, name, args) for name in NETWORKS}
    trainings = {name: Training(name, args) for name in NETWORKS}
    times = time_in_turn(trainings, args.repeats)
    peak = peak_flops(args.dtype)

    edsr = summarize(times["edsr"])["s"]
    rows = []
    for name, training in trainings.items():
        row = {"network": name, **summarize(times[name])}
        row["of edsr"] = row["s"] / edsr
        row["GFLOP by hand"] = training.by_hand / 1e9
        row["GFLOP by XLA"] = training.cost.flops / 1e9
        row["share of peak"] = training.by_hand / row["s"] / peak
        row["compilation, s"] = training.cost.compilation
        row["memory planned, GB"] = training.cost.memory / 1e9
        row["memory, GB"] = memory[name] / 1e9
        rows.append(row)
    title = f"Training step, {args.size}, {args.batch} of {args.patch} x {args.patch}"
    publish({title: rows}, args, peak_gflops=peak / 1e9)


if __name__ == "__main__":
    main()
