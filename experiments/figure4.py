r"""Figure 4: what does the graph give without learning, and where does it fail?

  python -m experiments.figure4 img_005.png -o figure4.png

draws crops of a photograph by bicubic, GraphAgg* (the graph alone: neighbors' HR
patches, cut from the LR image and averaged), the network, and the original, with the
PSNR of each crop. The first row is where GraphAgg* gains most on bicubic, the second
where it loses most. It takes seconds on two CPU cores.

The paper shows Urban100 img_005 at x2: GraphAgg* is sharper than bicubic in the first
row, and has artifacts in the second that IGNN has not.
"""

import functools
import sys

from experiments.figures import SIDE, WEIGHTS, load_ignn, read_photograph, run
from ignn_jax.evaluation.comparison import largest_gain
from ignn_jax.evaluation.panels import draw_panels, panels_of
from ignn_jax.evaluation.scores import evaluate_pair
from ignn_jax.inference.upscalers import bicubic_upscaler, graph_agg_upscaler, upscaler
from ignn_jax.models.embedding import embedding_of

OPTIONS = {"weights": WEIGHTS, "side": SIDE}


def draw(args):
    """The figure."""
    model, variables = load_ignn(args.weights)
    scale, embed = model.scale, embedding_of(model, variables)
    upscalers = {
        "bicubic": bicubic_upscaler(scale),
        "GraphAgg*": graph_agg_upscaler(scale, config=model.graph, embed=embed),
        "IGNN": upscaler(model, variables),
    }
    evaluated = evaluate_pair(read_photograph(args.image, scale), upscalers)
    (bicubic, ours, _), hr = evaluated.images.values(), evaluated.pair.hr
    places = [
        largest_gain(better, worse, hr, side=args.side)
        for better, worse in ((ours, bicubic), (bicubic, ours))
    ]
    return draw_panels(
        [panels_of(evaluated, where, of_crops=True) for where in places],
        title=f"{args.image.stem} at x{scale}, with the PSNR of each crop on Y\n"
        "above: where GraphAgg* gains most on bicubic; below: where it loses most",
    )


main = functools.partial(run, draw, __doc__, OPTIONS)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
