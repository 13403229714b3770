r"""The weights that come with the package: trains, compares and packs them.

  python -m experiments.pretrained --config=configs/tiny_x2.py --workdir=runs/tiny_x2 \
    --train='folder:bsds400,folder:sunhays80*3' --benchmarks=PATH/TO/benchmark \
    --vgg19=vgg19_conv1.npz

Flags after `--` go to every training: `-- --config.train.batch_size=16`. Those given
by `--later` go to all but the first: `--later=--config.train.steps=3000`. Each network
is a run in a folder of the workdir:

  edsr                      no graph
  ignn_backbone, ignn_rgb   from edsr; the one that is better on validation is packed
  ignn_vgg19                from edsr, with --vgg19; not packed, since the weights of
                            VGG19 are not ours
  edsr_longer               from edsr: what as many steps are worth without a graph

`--networks` chooses among them. A network for another scale begins from one that there
is: `--later=--config.init.backbone=tiny-x2 -- --config.init.backbone=runs/tiny_x2/edsr`
begins the IGNNs from tiny-x2 and the EDSR from its EDSR.

The same command goes on from where it was stopped, and reuses finished runs with the
same flags. It leaves `results.json` and its table, `results.md`, in the workdir.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments import runs
from experiments.programs import attempt
from ignn_jax.cli.config_file import read_config
from ignn_jax.data.benchmarks import find_benchmarks, read_pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation.scores import evaluate, mean_score
from ignn_jax.files import check_output, check_output_folder, write_text
from ignn_jax.inference.upscalers import bicubic_upscaler, upscaler
from ignn_jax.machine import describe_machine
from ignn_jax.tables import markdown_table
from ignn_jax.training.run import validation_images
from ignn_jax.weights.file import count_parameters, read_weights
from ignn_jax.weights.find import PRETRAINED, find_weights
from ignn_jax.weights.network import load, save
from ignn_jax.weights.vgg19 import load_vgg19

# Those that need no weights from others.
_PACKED = ("ignn_backbone", "ignn_rgb")
_LABELS = {
    "bicubic": "bicubic",
    "edsr": "EDSR",
    "ignn_backbone": "IGNN, patches matched by its own features",
    "ignn_rgb": "IGNN, by color",
    "ignn_vgg19": "IGNN, by VGG19's features",
    "edsr_longer": "EDSR, as many steps again",
}
# How many dB float16 on disk may cost.
_TOLERANCE = 0.005


def training_flags(args: argparse.Namespace) -> dict[str, list[str]]:
    """Each network's flags for `ignn_jax.main`, in the order of training."""
    embedding = "--config.model.graph.embedding="
    vgg19 = f"--config.init.vgg19={args.vgg19}"
    later = [f"--config.init.backbone={args.workdir / 'edsr'}", *args.later]
    own = {
        "edsr": ["--config.model.name=edsr"],
        "ignn_backbone": [*later, f"{embedding}backbone"],
        "ignn_rgb": [*later, f"{embedding}rgb"],
        "ignn_vgg19": [*later, f"{embedding}vgg19", vgg19],
        "edsr_longer": [*later, "--config.model.name=edsr"],
    }
    images = f"--config.data.train={args.train}"
    common = [f"--config={args.config}", images, *args.overrides]
    return {name: common + own[name] for name in own if name in args.networks}


def make(args: argparse.Namespace) -> None:
    """Trains, compares, packs.

    Raises:
      InputError: an option cannot be followed. Where possible, this is found before any
        work is done.
    """
    if not set(_PACKED) & set(args.networks):
        raise InputError(
            f"give {' or '.join(_PACKED)} too, to be packed", field="networks"
        )
    if "ignn_vgg19" in args.networks and not args.vgg19:
        raise InputError("is needed by ignn_vgg19", field="vgg19")
    flags = training_flags(args)
    configs = {name: read_config(flags[name]) for name in flags}
    config = next(iter(configs.values()))
    benchmarks = find_benchmarks(args.benchmarks, args.sets, scale=config.scale)
    if args.vgg19:
        load_vgg19(args.vgg19)
    filename = pathlib.Path(args.config).stem.replace("_", "-") + ".safetensors"
    output = args.output or PRETRAINED / filename
    check_output_folder(output.parent, field="output")
    check_output(output, field="output")

    for name, its_config in configs.items():
        runs.train(args.workdir / name, its_config)
    candidates = [name for name in _PACKED if name in configs]
    first = args.workdir / candidates[0]
    held_out = validation_images(first, configs[candidates[0]])
    networks = {
        name: _describe(args.workdir / name, benchmarks, held_out) for name in configs
    }
    shipped = max(candidates, key=lambda name: networks[name]["validation"]["psnr"])
    model, variables = load(args.workdir / shipped)
    upscale = bicubic_upscaler(config.scale)
    folder = args.workdir / "bicubic"
    found = runs.score(upscale, benchmarks, scale=config.scale, folder=folder)
    bicubic = {
        "validation": mean_score(evaluate(upscale, held_out))._asdict(),
        "sets": _means(found),
    }
    costs = {}
    if not args.float32:
        first = [read_pair(files, scale=config.scale) for files in benchmarks[0].pairs]
        costs = {
            "validation": _cost_of_float16(
                held_out, model, variables, config.eval.tile
            ),
            benchmarks[0].name: _cost_of_float16(first, model, variables, tile=0),
        }
    small = bool(costs) and all(cost < _TOLERANCE for cost in costs.values())
    results = {
        **_circumstances(args),
        "scale": config.scale,
        "validation_images": len(held_out),
        "networks": {"bicubic": bicubic, **networks},
        "shipped": shipped,
        "cost_of_float16": costs,
        "stored": "float16" if small else "float32",
    }
    table = format_table(results)
    write_text(args.workdir / "results.json", json.dumps(results, indent=2) + "\n")
    write_text(args.workdir / "results.md", table)
    header = _header(results)
    save(output, model, variables, stored=results["stored"], **header)
    print(f"\n{table}\n{output}: {shipped}, stored as {results['stored']}")


def _describe(workdir, benchmarks, held_out):
    """What is known about a network, as values that JSON can hold."""
    tensors, header = read_weights(find_weights(workdir))
    model, variables = load(workdir)
    upscale = upscaler(model, variables, tile=0)
    found = runs.score(
        upscale,
        benchmarks,
        scale=model.scale,
        folder=workdir / "scores",
        weights=workdir,
    )
    return {
        "parameters": count_parameters(tensors),
        "steps": header["step"],
        "hours": round(runs.training_hours(workdir), 3),
        "validation": mean_score(evaluate(upscale, held_out))._asdict(),
        "sets": _means(found),
    }


def _means(found):
    return {
        name: mean_score(scores.values())._asdict() for name, scores in found.items()
    }


def _circumstances(args):
    return {
        "trained_on": args.trained_on or runs.public([args.train]),
        "command": runs.public(["python", "-m", "experiments.pretrained", *args.argv]),
        "commit": runs.commit(),
        "machine": describe_machine("jax", "flax", "numpy"),
        "device": jax.devices()[0].device_kind,
    }


def _cost_of_float16(pairs, model, variables, tile):
    """How many dB rounding the weights costs on these images."""
    rounded = jax.tree.map(lambda x: x.astype(np.float16).astype(x.dtype), variables)
    before, after = (
        mean_score(evaluate(upscaler(model, v, tile=tile), pairs))
        for v in (variables, rounded)
    )
    return before.psnr - after.psnr


def _header(results):
    """The header that `ignn_jax.weights.file` asks for in weights that are shipped."""
    networks = results["networks"]
    # Of the EDSRs, the one that was trained for as many steps in all.
    rows = {"bicubic": "bicubic", "ignn": results["shipped"]}
    edsr = [name for name in ("edsr", "edsr_longer") if name in networks]
    if edsr:
        rows["edsr"] = edsr[-1]
    return {
        "data": results["trained_on"],
        "command": results["command"],
        "commit": results["commit"],
        "steps": networks[results["shipped"]]["steps"],
        "license": f"MIT; trained on {results['trained_on']}",
        "psnr": {
            part: {
                name: round(float(networks[row]["sets"][part]["psnr"]), 4)
                for name, row in rows.items()
            }
            for part in networks["bicubic"]["sets"]
        },
    }


def format_table(results: Mapping[str, Any]) -> str:
    """The results in Markdown, for docs/weights.md."""
    networks, machine = results["networks"], results["machine"]
    sets = list(networks["bicubic"]["sets"])
    rows = [["", "parameters", "steps", "hours", "validation", *sets]]
    for name, network in networks.items():
        label = f"**{_LABELS[name]}**" if name == results["shipped"] else _LABELS[name]
        cost = ["", "", ""]
        if name != "bicubic":
            parameters, steps, hours = (
                network[key] for key in ("parameters", "steps", "hours")
            )
            cost = [f"{parameters:,}", f"{steps:,}", f"{hours:.2f}"]
        scores = [network["validation"], *(network["sets"][name] for name in sets)]
        rows.append([label, *cost, *map(_format_score, scores)])
    return markdown_table(rows) + (
        f"\n\nPSNR (dB) / SSIM on Y at x{results['scale']}; validation is "
        f"{results['validation_images']} images held out. In bold: the one that ships, "
        "chosen on validation. Steps and hours (of training alone) come on top of "
        "those of the network that a training began from. Evaluated on "
        f"{machine['date']} at commit {results['commit']}: {machine['processor']}, "
        f"{machine['cores']} cores, device {results['device']}, jax {machine['jax']}, "
        f"Python {machine['python']}.\n"
    )


def _format_score(score):
    return f"{float(score['psnr']):.2f} / {float(score['ssim']):.4f}"


def parse(argv: list[str]) -> argparse.Namespace:
    """Parses a command line; `overrides` is what follows `--`, `argv` all of it."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.pretrained",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def add(option, metavar, description, **more):
        parser.add_argument(option, metavar=metavar, help=description, **more)

    path = {"type": pathlib.Path}
    add("--config", "FILE", "of the network, such as configs/tiny_x2.py", required=True)
    add("--train", "SOURCE", "training images, as data.train", required=True)
    add("--workdir", "DIR", "where the runs are kept", required=True, **path)
    add("--benchmarks", "DIR", "folder of the benchmark sets", required=True, **path)
    add(
        "--sets",
        "NAMES",
        "sets in it; float16 is tried on the first (default: %(default)s)",
        type=lambda text: text.split(","),
        default="Set5,Set14,Urban100-odd",
    )
    add("--vgg19", "FILE", "VGG19's weights, as init.vgg19")
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=list(_LABELS)[1:],
        metavar="NAME",
        help="which ones to train (default: all; ignn_vgg19 with --vgg19 only)",
    )
    add("--trained-on", "WORDS", "SOURCE in words, for the license and the header")
    add(
        "--output",
        "FILE",
        "the weights (default: where the package keeps its own)",
        **path,
    )
    add(
        "--later",
        "FLAG",
        "for every training but edsr; can be repeated",
        action="append",
        default=[],
    )
    parser.add_argument(
        "--float32",
        action="store_true",
        help=f"store float32 even if float16 costs less than {_TOLERANCE} dB",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="-- FLAGS", help="for every training"
    )
    args = parser.parse_args(argv)
    args.argv = argv
    if not args.networks:
        args.networks = [name for name in list(_LABELS)[1:] if name != "ignn_vgg19"]
        args.networks += ["ignn_vgg19"] * bool(args.vgg19)
    return args


def main(argv: list[str]) -> int:
    """Runs a command line; returns the exit status."""
    return attempt(make, parse(argv), name="pretrained")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
