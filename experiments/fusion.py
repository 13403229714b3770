r"""Beyond the paper: how should the graph's output join the features?

  python -m experiments.fusion --benchmarks=PATH --train=folder:PATH

In the paper, the features pass through new convolutions, so a network that begins from
a trained EDSR has to learn again what it knew. The residual fusion adds the new layers'
output, zero at first, to the features: the network begins as its EDSR.

Hardware and cost: three trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="fusion",
    title="Fusion of the features with the graph's output",
    variants=[
        Variant("EDSR", {"model.name": "edsr"}),
        Variant("reference", {"model.graph.fusion": "reference"}),
        Variant("residual", {"model.graph.fusion": "residual"}),
    ],
    reference="reference",
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
