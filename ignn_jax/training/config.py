"""A run's config: every key known, every value possible, none missing."""

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from ignn_jax.errors import InputError
from ignn_jax.training.defaults import get_config

_INT32 = 2**31 - 1
_INF = math.inf

# The least and the largest value of each number; inf itself is not allowed. The models
# check their own choices, and the data what only they know.
_LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),  # JAX drops further bits
    "model.features": (1, 2**14),
    "model.num_blocks": (1, 2**10),
    "model.residual_scale": (-_INF, _INF),
    "model.graph.position": (0, 2**10),
    "model.graph.neighbors": (1, _INT32),
    "model.graph.window": (0, _INT32),
    "model.graph.patch_size": (1, 32),
    "model.graph.patch_stride": (1, 32),
    "data.lr_patch": (1, 2**16),
    "train.steps": (1, _INT32),
    "train.batch_size": (1, 2**16),
    "train.accumulate": (1, 2**16),
    "train.ema": (0, math.nextafter(1, 0)),
    "train.max_skipped": (1, _INT32),
    "optimizer.learning_rate": (0, _INF),
    "optimizer.decay_every": (1, _INT32),
    "optimizer.decay_factor": (math.ulp(0), 1),
    "optimizer.warmup": (0, _INT32),
    "optimizer.clip": (0, _INF),
    "checkpoint.every": (1, _INT32),
    "checkpoint.keep": (1, _INT32),
    "log.every": (1, _INT32),
    "eval.every": (1, _INT32),
    "eval.tile": (0, _INT32),
}
# What stands in a message for limits that are hard to read.
_WORDS = {
    "train.ema": "a decay in [0, 1)",
    "optimizer.decay_factor": "a factor above 0 and at most 1",
}
_NOT_EMPTY = ("data.train", "data.validation")


def complete(config: Mapping[str, Any] | ConfigDict) -> ConfigDict:
    """A config with every key, locked, and checked.

    Args:
      config: as of `configs/base.py`. Keys that it lacks have their defaults. An int
        stands for a float, and a whole float such as 1e5 for an int.

    Raises:
      InputError: a key is not known, or its value is not of its type or impossible.
    """
    defaults = _flatten(get_config().to_dict())
    values = dict(defaults)
    for key, value in _flatten(_plain(config)).items():
        if key not in defaults:
            raise InputError(_unknown(key, defaults), field=key)
        values[key] = _converted(key, value, type(defaults[key]))
    for key, (least, most) in _LIMITS.items():
        # Not (value < least): NaN is neither.
        if not (least <= values[key] <= most and math.isfinite(values[key])):
            raise InputError(
                f"must be {_limits_in_words(key)}, not {values[key]}", field=key
            )
    for key in _NOT_EMPTY:
        if not values[key].strip():
            raise InputError("is empty; see docs/config.md for its values", field=key)
    completed = get_config()
    completed.update_from_flattened_dict(values)
    return completed.lock()


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


def _plain(config: Mapping[str, Any] | ConfigDict) -> Mapping[str, Any]:
    try:
        resolved = ConfigDict(config).copy_and_resolve_references()
        return resolved.to_dict()
    except (TypeError, ValueError) as error:  # such as a placeholder without a value
        raise InputError(f"the config is not one: {error}") from error


def _flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by "group.key". Not Flax's, which takes a second to import."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        is_group = isinstance(value, Mapping) and bool(value)
        flat |= _flatten(value, f"{name}.") if is_group else {name: value}
    return flat


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    """The message for a key that there is not, with the one that was meant."""
    # A section, such as "trian.steps", and a name alone may both be misspelt.
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    if near:
        return f"there is no such key; did you mean {near[0]}?"
    if any(other.startswith(f"{key}.") for other in known):
        return "is a group of keys, and has no value of its own"
    return "there is no such key; docs/config.md lists them all"


def _converted(key: str, value: Any, kind: type) -> Any:
    """The value in the type of the key's default."""
    if isinstance(value, str) and re.search(r"[\x00-\x1f\x7f]", value):
        raise InputError(f"must be one line of text, not {value!r}", field=key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    if kind is float and is_number:
        return float(value)
    if kind is int and is_number and float(value).is_integer():
        return int(value)
    names = {bool: "True or False", int: "a whole number", float: "a number"}
    raise InputError(f"must be {names.get(kind, 'text')}, not {value!r}", field=key)


def _limits_in_words(key: str) -> str:
    least, most = _LIMITS[key]
    if key in _WORDS:
        return _WORDS[key]
    words = [
        f"{word} {limit:.0f}"
        for word, limit in (("at least", least), ("at most", most))
        if math.isfinite(limit) and limit != _INT32
    ]
    return " and ".join(words) or "a finite number"
