r"""Figure 5: what does AdaPN do to the aggregated features?

  python -m experiments.figure5 img_005.png -o figure5.png

draws two channels of F_L: upsampled by bicubic, aggregated to HR size with AdaPN, and
without AdaPN by the same network. Below each is its detail, the energy of its gradients
over that of bicubic's, and its drift, how far it is from F_L at LR size (root mean
square, in standard deviations of F_L). Both are of the whole image, whose center is
shown, or the place around `--at`. It takes seconds on two CPU cores.

The paper: with AdaPN there is richer detail than in F_L, and low frequencies stay;
without AdaPN they drift.
"""

import functools
import sys

from experiments.figures import AT, SIDE, WEIGHTS, load_ignn, read_photograph, run
from ignn_jax.evaluation.panels import Panel, crop_at, draw_panels
from ignn_jax.inspection.features import aggregated_features

OPTIONS = {
    "weights": WEIGHTS,
    "channels": {"type": int, "nargs": "+", "help": "default: those of most contrast"},
    "at": AT,
    "side": SIDE,
}


def draw(args):
    """The figure."""
    model, variables = load_ignn(args.weights)
    pair = read_photograph(args.image, model.scale)
    maps = aggregated_features(model, variables, pair.lr)
    channels = args.channels or maps.of_most_contrast(2)
    at = args.at or [n // 2 for n in pair.hr.shape[1::-1]]
    where = crop_at(maps.bicubic, at, side=args.side)
    rows = [
        [
            Panel(
                gray[where],
                f"channel {c}, {name}\ndetail {detail:.2f}, drift {drift:.2f}",
            )
            for name, gray, detail, drift in maps.channel(c)
        ]
        for c in channels
    ]
    return draw_panels(rows, title=f"F_L of {pair.name}, at HR size")


main = functools.partial(run, draw, __doc__, OPTIONS)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
