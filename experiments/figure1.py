r"""Figure 1: which patches of a photograph does the graph connect?

  python -m experiments.figure1 photo.jpg --at 200,150 -o figure1.png

draws a photograph, taken as the LR image, and the patch nearest to the pixel `--at` (by
default the center): its neighbors in the downsampled image (solid), the HR patches of
the photograph that they stand for (dashed), and all of these patches magnified. It
takes seconds on two CPU cores. `ignn-jax explain` draws the same with the searched
window, distances and weights.

The paper shows that structure recurs at other scales, so that the neighbors' HR patches
have the detail that the query patch lacks.
"""

import functools
import sys

from experiments.figures import AT, WEIGHTS, run
from ignn_jax.inspection.explain import explain_patch
from ignn_jax.inspection.figure import draw_scene

OPTIONS = {"weights": WEIGHTS, "at": AT}


def draw(args):
    """The figure."""
    _, explanation = explain_patch(args.image, args.at, args.weights)
    return draw_scene(explanation, args.image.name)


main = functools.partial(run, draw, __doc__, OPTIONS)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
