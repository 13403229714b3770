"""A run's config: checked, completed, and compared with the one it began with."""

from collections.abc import Mapping
from typing import Any

import flax.traverse_util
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


def describe_changes(
    config: ConfigDict, saved: Mapping[str, Any], *, allow_changes: bool
) -> str:
    """What differs from the config that a run began with, as text; "" if nothing does.

    Args:
      config: what is asked for, without "auto".
      saved: the config of the newest checkpoint.
      allow_changes: whether the run may go on with another config. It never may with
        another network.

    Raises:
      InputError: the changes are not allowed.
    """
    changes = _changes(saved, config.to_dict())
    text = ", ".join(f"{key}={new} (was {old})" for key, (old, new) in changes.items())
    if any(key == "scale" or key.startswith("model.") for key in changes):
        raise InputError(
            f"holds a run of another network: {text}; give another folder",
            field="workdir",
        )
    if changes and not allow_changes:
        raise InputError(
            f"holds a run of another config: {text}; set allow_changes to go on with "
            "the new one, or give another folder",
            field="workdir",
        )
    return text


def _changes(old, new):
    """(old, new) of each key whose value differs; None for no such key."""
    old, new = (flax.traverse_util.flatten_dict(dict(c), sep=".") for c in (old, new))
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }
