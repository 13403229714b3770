r"""Beyond the paper: what should patches be matched by?

  python -m experiments.embedding --benchmarks=PATH --train=folder:PATH --vgg19=FILE

By the features of VGG19's first convolutions, as in the paper; by the backbone's own
first convolution, which needs no other weights; or by color alone.

Hardware and cost: three trainings of 1000 steps with --preset=tiny, minutes each on two
CPU cores, and that of the EDSR that they begin from.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="embedding",
    title="Embedding by which patches are matched",
    variants=[
        Variant(label, {"model.graph.embedding": label})
        for label in ("vgg19", "backbone", "rgb")
    ],
    reference="vgg19",
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
