"""A run's config: what "auto" means, and that it is still the one it was begun with."""

from typing import Any

import flax.traverse_util
from ml_collections import ConfigDict

from ignn_jax.errors import InputError


def resolve(
    config: ConfigDict, saved: dict[str, Any] | None, *, allow_changes: bool
) -> ConfigDict:
    """The config to train with.

    Args:
      config: what was asked for.
      saved: of the newest checkpoint, if there is one.
      allow_changes: whether the run may go on with another config. Not with another
        network, in any case.

    Raises:
      InputError: the run was begun with another config; the line is the difference.
    """
    config = config.copy_and_resolve_references()
    graph = config.model.graph
    if config.model.name == "ignn" and graph.embedding == "auto":
        if saved:
            graph.embedding = saved["model"]["graph"]["embedding"]
        else:
            graph.embedding = "vgg19" if config.init.vgg19 else "backbone"
        print(f"model.graph.embedding=auto: {graph.embedding}")
    changes = _changes(saved, config.to_dict()) if saved else {}
    if not changes:
        return config
    text = ", ".join(f"{key}={new} (was {old})" for key, (old, new) in changes.items())
    if any(key == "scale" or key.startswith("model.") for key in changes):
        raise InputError(
            f"this --workdir holds a run of another network: {text}; "
            "give another --workdir"
        )
    if not allow_changes:
        raise InputError(
            f"this --workdir holds a run of another config: {text}; add "
            "--allow_changes to go on with the new one, or give another --workdir"
        )
    print(f"Going on with another config: {text}")
    return config


def _changes(old: dict, new: dict) -> dict[str, tuple[Any, Any]]:
    """(old, new) of each key whose value differs; None for no such key."""
    old, new = (flax.traverse_util.flatten_dict(c, sep=".") for c in (old, new))
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }
