r"""Table 1: how good is IGNN at x2, x3 and x4, beside eleven other methods?

  python -m experiments.table1 --preset=paper --benchmarks=PATH --vgg19=vgg19.pth

The other methods' numbers are the paper's. A set that is incomplete, as half of
Urban100, is not compared with them.

Hardware and cost: with --preset=tiny, an EDSR and an IGNN per scale, each trained for
1000 steps, minutes on two CPU cores. The paper's preset has 256 features and 800,000
steps, which need an accelerator.
The paper: without self-ensemble, IGNN is the best of all on Urban100 and Manga109 at
every scale (33.23 dB on Urban100 at x2, SAN 33.10), and at most 0.07 dB behind the best
elsewhere. IGNN+ adds 0.05 to 0.31 dB.
"""

import functools
import sys

from experiments.command import run
from experiments.sweep import Variant
from experiments.tables import Table

TABLE = Table(
    name="table1",
    title="Table 1: IGNN and IGNN+",
    variants=[Variant("IGNN"), Variant("IGNN+", ensemble=True)],
    reference="IGNN",
    number=1,
    scales=(2, 3, 4),
    sets=("Set5", "Set14", "BSD100", "Urban100", "Manga109"),
)

main = functools.partial(run, TABLE, __doc__)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
