"""What does faster arithmetic cost, in dB?

python -m benchmarks.precision --data DIR [--weights tiny-x2 ...]

Scores networks on one set of images three times: in float32 (`highest`), in what JAX
does by default for float32 (TF32 on NVIDIA's GPUs, bfloat16 on TPUs), and in bfloat16.
"""

import sys
from typing import Any

import jax
import numpy as np

from benchmarks.common import make_parser, publish
from ignn_jax.data.benchmarks import find_benchmark, read_pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation.scores import evaluate_pair, mean_score
from ignn_jax.inference.upscalers import upscaler
from ignn_jax.weights.network import load

# The network's type, and the precision of its products.
EXACT = "float32, highest"
ARITHMETIC: dict[str, tuple[str, str | None]] = {
    EXACT: ("float32", "highest"),
    "float32": ("float32", None),
    "bfloat16": ("bfloat16", None),
}
TILE = 64  # so that images of all sizes share a program


def measure(weights: str, data: str) -> list[dict[str, Any]]:
    """A row for each arithmetic; levels are compared with those of the first."""
    model, variables = load(weights)
    upscalers = {
        label: _with_precision(
            precision, upscaler(model.clone(dtype=dtype), variables, tile=TILE)
        )
        for label, (dtype, precision) in ARITHMETIC.items()
    }
    pairs = find_benchmark(data, scale=model.scale).pairs
    found = [
        evaluate_pair(read_pair(files, scale=model.scale), upscalers) for files in pairs
    ]
    means = {
        label: mean_score(each.scores[label] for each in found) for label in ARITHMETIC
    }
    rows = []
    for label, mean in means.items():
        differences = np.concatenate(
            [np.abs(_levels(each, label) - _levels(each, EXACT)) for each in found]
        )
        rows.append(
            {
                "network": weights,
                "arithmetic": label,
                "PSNR, dB": mean.psnr,
                "lost, dB": means[EXACT].psnr - mean.psnr,
                "other levels": float((differences > 0).mean()),
                "largest difference": int(differences.max()),
            }
        )
    return rows


def _with_precision(precision, upscale):
    def run(lr):
        with jax.default_matmul_precision(precision):
            return upscale(lr)

    return run


def _levels(evaluated, label):
    return evaluated.images[label].astype(int).ravel()


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__, network=False)
    parser.add_argument("--data", required=True, metavar="DIR", help="such as Set5")
    parser.add_argument(
        "--weights", nargs="+", default=["tiny-x2", "tiny-x3", "tiny-x4"]
    )
    args = parser.parse_args(argv)
    try:
        rows = [row for name in args.weights for row in measure(name, args.data)]
    except InputError as error:
        sys.exit(f"precision: {error}")
    publish({"By the network's arithmetic": rows}, args)


if __name__ == "__main__":
    main()
