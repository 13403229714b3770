r"""Table 6: what are AdaPN and ECN worth?

  python -m experiments.table6 --benchmarks=PATH --train=folder:PATH

Without AdaPN (Eq. 3) the neighbors' patches keep their own mean and variance. Without
ECN (Eq. 2) an edge weighs exp(-||D||^2 / 10), D being the difference of the two
patches.

Hardware and cost: four trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
The paper (Urban100, x2): 33.18 dB without AdaPN, 33.12 dB without ECN, 33.09 dB without
both, 33.23 dB with both.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

NO_ADAPN = {"model.graph.normalization": "none"}
NO_ECN = {"model.graph.edge_weights": "gaussian"}

TABLE = Table(
    name="table6",
    title="Table 6: AdaPN and ECN",
    variants=[
        Variant("w/o AdaPN", NO_ADAPN),
        Variant("w/o ECN", NO_ECN),
        Variant("w/o AdaPN and w/o ECN", {**NO_ADAPN, **NO_ECN}),
        Variant("IGNN"),
    ],
    reference="IGNN",
    number=6,
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
