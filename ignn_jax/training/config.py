"""A run's config: checked and completed."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from ignn_jax.errors import InputError


def check(config: ConfigDict) -> None:
    """Refuses numbers of steps, and the like, that mean nothing.

    Raises:
      InputError: naming the key.
    """
    for key in (
        "train.steps",
        "train.max_skipped",
        "checkpoint.every",
        "eval.every",
        "log.every",
    ):
        section, name = key.split(".")
        if config[section][name] < 1:
            raise InputError(
                f"must be at least 1, not {config[section][name]}", field=key
            )
    if not 0 <= config.train.ema < 1:
        raise InputError(
            f"must be a decay in [0, 1), not {config.train.ema}", field="train.ema"
        )


def resolve(config: ConfigDict, saved: Mapping[str, Any] | None = None) -> ConfigDict:
    """A copy of the config in which no "auto" is left.

    Args:
      config: as of `configs/base.py`.
      saved: the config of the run that goes on, which has decided already.
    """
    config = config.copy_and_resolve_references()
    graph = config.model.graph
    if config.model.name == "ignn" and graph.embedding == "auto":
        if saved:
            graph.embedding = saved["model"]["graph"]["embedding"]
        else:
            graph.embedding = "vgg19" if config.init.vgg19 else "backbone"
    return config
