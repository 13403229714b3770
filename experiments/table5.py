r"""Table 5: how many neighbors are best?

  python -m experiments.table5 --benchmarks=PATH --train=folder:PATH
  python -m experiments.table5 --benchmarks=PATH --retrain=false --weights=tiny-x2

Hardware and cost: six trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
The paper (Urban100, x2): 33.17 dB with one neighbor, 33.23 dB with five and seven, and
33.22 dB with eleven.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="table5",
    title="Table 5: number of neighbors",
    variants=[
        Variant(f"k = {k}", {"model.graph.neighbors": k}) for k in (1, 3, 5, 7, 9, 11)
    ],
    reference="k = 5",
    number=5,
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
