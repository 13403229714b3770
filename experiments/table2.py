r"""Table 2: are neighbors of another scale worth more than those of the same scale?

  python -m experiments.table2 --benchmarks=PATH --train=folder:PATH

EDSR without any graph, trained for as many steps; a non-local block, in which all
pixels attend to each other; the nearest neighbors in the LR image itself; and IGNN,
whose neighbors stand for HR patches.

Hardware and cost: four trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
The paper (Urban100, x2): 32.93, 32.98, 33.01 and 33.23 dB.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="table2",
    title="Table 2: no graph, non-local block, neighbors of the same scale, IGNN",
    variants=[
        Variant("Baseline (EDSR)", {"model.name": "edsr"}),
        Variant("Non-local", {"model.graph.kind": "non_local"}),
        Variant("KNN (same-scale)", {"model.graph.kind": "same_scale"}),
        Variant("IGNN"),
    ],
    reference="IGNN",
    number=2,
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
