r"""Figure 3 (also 6 and 7): what do the methods make of the same place?

  python -m experiments.figure3 img_004.png --weights edsr_x4 ignn_x4 -o figure3.png

draws a photograph and a crop of it by bicubic, by every network, and with `--ensemble`
by the last one's self-ensemble (IGNN+), with the PSNR of the whole image. The crop is
where the last network gains most on bicubic, or around `--at`. It takes seconds on two
CPU cores, and a minute with self-ensemble.

The paper shows Urban100 img_004 and others at x4: IGNN keeps the lines of buildings
that other methods bend or lose.
"""

import functools
import sys

from experiments.figures import AT, SIDE, WEIGHTS, read_photograph, run
from ignn_jax.evaluation.comparison import largest_gain
from ignn_jax.evaluation.panels import Scene, crop_at, draw_panels, panels_of
from ignn_jax.evaluation.scores import evaluate_pair
from ignn_jax.evaluation.setup import load_setup

OPTIONS = {
    "weights": {**WEIGHTS, "default": ["tiny-x2"], "nargs": "+"},
    "ensemble": {"action": "store_true", "help": "the last network's, too"},
    "at": AT,
    "side": SIDE,
}


def draw(args):
    """The figure."""
    setup = load_setup(args.weights)
    upscalers = setup.upscalers
    if args.ensemble:
        upscalers |= load_setup(args.weights[-1], ensemble=True).upscalers
    evaluated = evaluate_pair(read_photograph(args.image, setup.scale), upscalers)
    (bicubic, *_, last), hr = evaluated.images.values(), evaluated.pair.hr
    where = largest_gain(last, bicubic, hr, side=args.side)
    if args.at:
        where = crop_at(hr, args.at, side=args.side)
    panels = panels_of(evaluated, where)
    half = -(-len(panels) // 2)
    return draw_panels(
        [panels[:half], panels[half:]],
        title=f"x{setup.scale}, with the PSNR of the whole image on Y",
        scene=Scene(hr, where, evaluated.pair.name),
    )


main = functools.partial(run, draw, __doc__, OPTIONS)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
