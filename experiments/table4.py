r"""Table 4: how far away may neighbors be, in cells of the candidates' grid?

  python -m experiments.table4 --benchmarks=PATH --train=folder:PATH
  python -m experiments.table4 --benchmarks=PATH --retrain=false --weights=tiny-x2

Training cannot see a difference between most windows. An LR patch of 60 x 60 has 15 x
15 candidates at x2 and x4, and 10 x 10 at x3. So d = 20, d = 30 and the whole image are
one training, evaluated three times, and at x3 d = 10 is the same too.

Hardware and cost: two trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
The paper (Urban100, x2): 33.14, 33.18, 33.23 and 33.24 dB.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="table4",
    title="Table 4: window of the search",
    variants=[
        Variant("d = 10", {"model.graph.window": 10}),
        Variant("d = 20", {"model.graph.window": 20}),
        Variant("d = 30", {"model.graph.window": 30}),
        Variant("d = whole downsampled image", {"model.graph.window": 0}),
    ],
    reference="d = 30",
    number=4,
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
