r"""Beyond the paper: does DEN have to be applied to each neighbor?

  python -m experiments.den --benchmarks=PATH --train=folder:PATH

The authors' code applies it to the HR map of each neighbor, and then takes the weighted
sum. The paper's text applies it once, to the weighted sum, which is k times cheaper.

Hardware and cost: two trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="den",
    title="DEN on each neighbor, or once on their weighted sum",
    variants=[
        Variant("per neighbor", {"model.graph.den": "per_neighbor"}),
        Variant("aggregated", {"model.graph.den": "aggregated"}),
    ],
    reference="per neighbor",
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
