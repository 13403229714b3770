"""The engine of the tables: variants of one network, trained alike and scored.

All variants begin from the same EDSR and are trained for as many steps, with each of
the seeds. A training that several variants or tables need is one run, which is kept in
the workdir. What was stopped goes on with the same command.
"""

import pathlib
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.traverse_util
import jax
import numpy as np
from ml_collections import ConfigDict

from experiments import runs
from experiments.side_by_side import Run, train_all
from ignn_jax.data.benchmarks import Benchmark, find_benchmarks
from ignn_jax.errors import InputError
from ignn_jax.evaluation import variants as graphs
from ignn_jax.evaluation.scores import Score
from ignn_jax.inference.upscalers import upscaler
from ignn_jax.models.edsr import upsample_factors
from ignn_jax.models.factory import create_model
from ignn_jax.ops.patches import patch_grid
from ignn_jax.training.config import complete
from ignn_jax.weights.find import find_weights
from ignn_jax.weights.network import load

Changes = dict[str, Any]

_WINDOW = "model.graph.window"
# What a network can be evaluated at without having been trained for it.
_FREE = ("model.graph.neighbors", _WINDOW)


class Variant(NamedTuple):
    """A row of a table.

    Attributes:
      label: the row's name; the paper's where it has this row.
      changes: config keys and their values. A function of the preset's config gives a
        value that depends on the network's size.
      ensemble: whether outputs are averaged over the 8 flips and rotations (IGNN+).
    """

    label: str
    changes: Mapping[str, Any] = {}
    ensemble: bool = False


class Network(NamedTuple):
    """Weights, as `load` takes them, and the folder that keeps their scores."""

    weights: str | pathlib.Path
    scores: pathlib.Path


class Row(NamedTuple):
    """A variant's results.

    Attributes:
      label: the variant's.
      parameters: how many the network has.
      scores: by set, the scores of each seed's network by image.
    """

    label: str
    parameters: int
    scores: dict[str, list[dict[str, Score]]]


def compare(
    variants: Sequence[Variant], config: ConfigDict, args: Namespace
) -> list[Row]:
    """Trains the variants, unless weights are given, and scores them.

    Args:
      variants: what is compared.
      config: what they change.
      args: the options of `experiments.command`.

    Raises:
      InputError: an option or a variant cannot be followed. Where possible, this is
        found before any work is done.
    """
    benchmarks = [
        benchmark._replace(pairs=benchmark.pairs[:: args.every])
        for benchmark in find_benchmarks(args.benchmarks, args.sets, scale=config.scale)
    ]
    changes = [changes_of(variant, config) for variant in variants]
    folder = args.workdir / f"x{config.scale}"
    if args.retrain:
        trainings = _plan(changes, config, args, folder)
        _train(trainings, config, args, folder)
        networks = [[Network(r.workdir, r.workdir) for r in row] for row in trainings]
    else:
        _refuse_to_train(changes)
        given = Network(args.weights, folder / pathlib.Path(args.weights).stem)
        networks = [[given]] * len(variants)
    return [
        _score(variant, change, seeds, benchmarks, tile=config.eval.tile)
        for variant, change, seeds in zip(variants, changes, networks, strict=True)
    ]


def changes_of(variant: Variant, config: ConfigDict) -> Changes:
    """The keys in which a variant differs from a config, with its values."""
    changes = {
        key: value(config) if callable(value) else value
        for key, value in variant.changes.items()
    }
    values = flax.traverse_util.flatten_dict(config.to_dict(), sep=".")
    return {key: value for key, value in changes.items() if values[key] != value}


def seen_in_training(changes: Changes, config: ConfigDict) -> Changes:
    """The changes that make a difference to training.

    Windows that hold all candidates of a training patch are the same there, and differ
    only in evaluation: with LR patches of 60 x 60 there are 15 x 15 candidates at x2
    and x4, and 10 x 10 at x3.
    """
    graph, scale = config.model.graph, upsample_factors(config.scale)[0]
    size = np.array([config.data.lr_patch // scale] * 2)
    cells = patch_grid(size, graph.patch_size, graph.patch_stride).counts.max()
    windows = (graph.window, changes.get(_WINDOW, graph.window))
    if all(window == 0 or window >= cells for window in windows):
        return {key: value for key, value in changes.items() if key != _WINDOW}
    return changes


def _plan(
    changes: Sequence[Changes],
    config: ConfigDict,
    args: Namespace,
    folder: pathlib.Path,
) -> list[list[Run]]:
    """The training of each variant with each seed, checked; variants may share one."""
    if args.backbone:
        find_weights(args.backbone)  # or else it raises
    init = {"init.backbone": str(args.backbone or folder / "backbone")}
    trainings = []
    for seen in (seen_in_training(change, config) for change in changes):
        seeds = [
            _make_run(
                folder / f"{_name(seen)}-{seed}",
                config,
                {**seen, **init, "seed": seed},
                args.vgg19,
            )
            for seed in range(args.seeds)
        ]
        trainings.append(seeds)
    return trainings


def _make_run(
    workdir: pathlib.Path, config: ConfigDict, changes: Changes, vgg19: str
) -> Run:
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(changes)
    if config.model.name == "ignn" and config.model.graph.embedding == "vgg19":
        if not vgg19:
            raise InputError("give a file with VGG19's weights", field="vgg19")
        config.init.vgg19 = vgg19
    config = complete(config)
    create_model({"scale": config.scale, **config.model.to_dict()})
    return Run(workdir, config)


def _train(
    trainings: Sequence[Sequence[Run]],
    config: ConfigDict,
    args: Namespace,
    folder: pathlib.Path,
) -> None:
    """Trains the backbone, then all variants with the first seed, and so on."""
    if not args.backbone:
        edsr = {"model.name": "edsr"}
        train_all([_make_run(folder / "backbone", config, edsr, "")], jobs=1)
    by_seed = (run for seed in zip(*trainings, strict=True) for run in seed)
    unique = {run.workdir: run for run in by_seed}
    train_all(list(unique.values()), jobs=args.jobs)


def _refuse_to_train(changes: Sequence[Changes]) -> None:
    keys = {key for change in changes for key in change} - set(_FREE)
    if keys:
        raise InputError(
            f"a network has to be trained for another {', '.join(sorted(keys))}",
            field="retrain",
        )


def _name(changes: Changes) -> str:
    """What is changed, as the name of a folder."""
    names = (f"{key.rpartition('.')[2]}={value}" for key, value in changes.items())
    return ",".join(names) or "unchanged"


def _score(
    variant: Variant,
    changes: Changes,
    networks: Sequence[Network],
    benchmarks: Sequence[Benchmark],
    *,
    tile: int,
) -> Row:
    """Scores a variant's networks, one per seed, on each set."""
    free = {key.rpartition(".")[2]: changes[key] for key in _FREE if key in changes}
    name = _name(changes) + "+" * variant.ensemble
    row = Row(variant.label, 0, {benchmark.name: [] for benchmark in benchmarks})
    for network in networks:
        model, variables, _ = graphs.change_graph(
            *load(network.weights), graphs.Variant(**free)
        )
        scores = runs.score(
            upscaler(model, variables, tile=tile, ensemble=variant.ensemble),
            benchmarks,
            scale=model.scale,
            folder=network.scores / "scores" / name,
            weights=network.weights,
        )
        for benchmark in benchmarks:
            row.scores[benchmark.name].append(scores[benchmark.name])
    count = sum(x.size for x in jax.tree.leaves(variables["params"]))
    return row._replace(parameters=count)
