r"""Table 3: after which block should the graph be?

  python -m experiments.table3 --benchmarks=PATH --train=folder:PATH

After a quarter, half or three quarters of the residual blocks: 8, 16 or 24 of the
paper's 32, and 2, 4 or 6 of the 8 of --preset=tiny.

Hardware and cost: three trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
The paper (Urban100, x2): 33.17, 33.23 and 33.19 dB.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table


def after(quarters: int) -> dict:
    return {"model.graph.position": lambda c: c.model.num_blocks * quarters // 4}


TABLE = Table(
    name="table3",
    title="Table 3: position of the graph, of 32 blocks in the paper",
    variants=[
        Variant("after 8th", after(1)),
        Variant("after 16th", after(2)),
        Variant("after 24th", after(3)),
    ],
    reference="after 16th",
    number=3,
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
