r"""GraphAgg*: what is the graph worth without learning, and where?

  python -m experiments.graph_agg benchmark --vgg19 vgg19_conv1.npz --every 5

evaluates variants of it at x2, and prints for each set their mean PSNR and SSIM, and by
kind of region (see `ignn_jax.evaluation.regions`) their PSNR, their sharpness, and how
often they are better than bicubic. An image of Set14 takes 20 seconds on two CPU cores,
one of Urban100 a minute and a half; `--every 5` takes every fifth image.

The paper gives no scores; it shows a place that is sharper, and artifacts (Figure 4).
"""

import argparse
import functools
import sys

from experiments.programs import attempt
from ignn_jax.cli.arguments import at_least
from ignn_jax.data.benchmarks import find_benchmarks, read_pair
from ignn_jax.evaluation.regions import scores_by_region
from ignn_jax.evaluation.scores import BICUBIC, evaluate_pair, mean_score
from ignn_jax.inference.upscalers import bicubic_upscaler, graph_agg_upscaler
from ignn_jax.models import GraphConfig
from ignn_jax.models.embedding import VGG19, VGG19Embedding, embedding_of, rgb
from ignn_jax.tables import markdown_table
from ignn_jax.weights.network import load
from ignn_jax.weights.vgg19 import load_vgg19

# Patches compared by color, and at the paper's settings but for what is named.
VARIANTS = {
    "by color": {},
    "by color, no AdaPN": {"normalization": "none"},
    "by color, k = 1": {"neighbors": 1},
    "by color, k = 9": {"neighbors": 9},
    "by color, l = 5": {"patch_size": 5},
    "by color, whole image": {"window": 0},
    "by color, every pixel": {"patch_stride": 1, "window": 60},
    "by backbone": {},
    "by VGG19": {},
}


def measure(args):
    """Evaluates the variants and prints the tables."""
    embeddings = {"by color": rgb, "by backbone": embedding_of(*load("tiny-x2"))}
    if args.vgg19:
        weights = {VGG19: load_vgg19(args.vgg19)[VGG19]["embedding"]}
        embeddings["by VGG19"] = functools.partial(VGG19Embedding().apply, weights)
    upscalers = {BICUBIC: bicubic_upscaler(2)} | {
        name: graph_agg_upscaler(2, config=GraphConfig(**fields), embed=embed)
        for name, fields in VARIANTS.items()
        if (embed := embeddings.get(name.split(",")[0]))
    }
    for benchmark in find_benchmarks(args.data, args.sets, scale=2):
        scores = []

        def evaluated(files, scores=scores):
            found = evaluate_pair(read_pair(files, scale=2), upscalers)
            scores.append(found.scores)
            return found

        shares, regions = scores_by_region(
            map(evaluated, benchmark.pairs[:: args.every])
        )
        head = [f"{name}: {share:.0%} of regions" for name, share in shares.items()]
        rows = [[f"{benchmark.name}, {len(scores)} images", "PSNR / SSIM", *head]]
        for name in upscalers:
            cells = [
                f"{score.psnr:.2f} dB, {score.sharpness:.2f}, {score.better:.0%}"
                for score in (regions[kind][name] for kind in regions)
            ]
            rows.append([name, mean_score(one[name] for one in scores), *cells])
        print(markdown_table(rows), end="\n\n", flush=True)


def main(argv):
    """Runs a command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", metavar="DIR", help="folder of the benchmark sets")
    add("--sets", nargs="+", default=["Set5", "Set14", "Urban100-odd"])
    add("--every", type=at_least(1), default=1, metavar="N")
    add("--vgg19", metavar="FILE", help="VGG19's weights, as init.vgg19")
    return attempt(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
