r"""Table 1: how good is IGNN at x2, x3 and x4, beside eleven other methods?

  python -m experiments.table1 --preset=paper --benchmarks=PATH --vgg19=vgg19.pth

The other methods' numbers are the paper's. A set that is incomplete, as half of
Urban100, is not compared with them.

Hardware and cost: with --preset=tiny, two EDSR and IGNN trainings of 1000 steps per
scale, minutes each on two CPU cores. The paper's preset has 800,000 steps of 256
features per training: days on a GPU.
The paper: IGNN is best, or second to SAN, on almost all sets (33.23 dB on Urban100 at
x2, against SAN's 33.10 and RDN's 32.89); IGNN+ adds 0.1 to 0.3 dB.
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
