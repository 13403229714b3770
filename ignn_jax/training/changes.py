"""What a run that goes on does differently from before, each in one line.

Three kinds of config keys: those of the network never change in a run. Those of what a
run prints and keeps may always change. The others may if the user allows it, and are
told with what they do.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import flax.traverse_util
from ml_collections import ConfigDict

from ignn_jax.data.pairs import Pair
from ignn_jax.data.splits import Mark, mark
from ignn_jax.errors import InputError
from ignn_jax.training.defaults import get_config
from ignn_jax.training.optimizer import learning_rate_schedule

# Keys without an effect on the weights.
_FREE = (
    "checkpoint.every",
    "checkpoint.keep",
    "data.cache",
    "eval.every",
    "eval.tile",
    "log.every",
    "train.max_skipped",
)
# Keys of the same effect, whatever the values. The others are in `_effect`.
_EFFECTS = {
    "seed": "other crops from here on",
    "train.accumulate": "the same steps, except for rounding",
    "init.backbone": "no effect, since the weights are those of the checkpoint",
    "init.vgg19": "no effect, since the weights are those of the checkpoint",
}
_NAMES = 3  # of images that a line lists


def with_defaults(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a checkpoint, with the defaults of keys that did not exist then."""
    defaults = _flatten(get_config().to_dict())
    return flax.traverse_util.unflatten_dict({**defaults, **_flatten(saved)}, sep=".")


def describe_changes(
    config: ConfigDict, saved: Mapping[str, Any], *, step: int, allow_changes: bool
) -> list[str]:
    """What differs from the config that a run had before, and what it does.

    Args:
      config: what is asked for, without "auto".
      saved: the config of the newest checkpoint, complete.
      step: of the newest checkpoint.
      allow_changes: whether the run may go on with another config.

    Raises:
      InputError: the changes are not allowed, or are of the network.
    """
    old, new = _flatten(saved), _flatten(config.to_dict())
    unknown = [
        f"{key}={old[key]} is a key of another version, and has no effect"
        for key in sorted(old.keys() - new.keys())
    ]
    changed = [key for key in sorted(new) if old.get(key) != new[key]]
    words = {key: f"{key}={new[key]} (was {old.get(key)})" for key in changed}
    if any(key == "scale" or key.startswith("model.") for key in changed):
        raise InputError(
            f"holds a run of another network: {', '.join(words.values())}; give "
            "another folder",
            field="workdir",
        )
    unexpected = [words[key] for key in changed if key not in _FREE]
    if unexpected and not allow_changes:
        raise InputError(
            f"holds a run of another config: {', '.join(unexpected)}; set "
            "allow_changes to go on with the new one, or give another folder",
            field="workdir",
        )
    effects = {key: _effect(key, old.get(key), new[key], step) for key in changed}
    lines = unknown + [
        f"{words[key]}: {effect}" if effect else words[key]
        for key, effect in effects.items()
    ]
    before, now = (_rate(c, step) for c in (saved, config.to_dict()))
    if abs(now - before) > 1e-6 * before:
        lines.append(
            f"The next step's learning rate is {now:.3g}, instead of {before:.3g}"
        )
    return lines


def _effect(key: str, old: Any, new: Any, step: int) -> str:
    """What the change of a key does; "" if that goes without saying."""
    if key == "train.steps":
        return f"training ends after step {new}" if new > step else "it has ended"
    if key == "train.batch_size":
        return (
            f"the crops go on from number {step * new:,} of their stream, instead of "
            f"{step * old:,}; the learning rate is not adapted"
        )
    if key == "train.ema" and not old:
        return f"an average begins, at the parameters of step {step}"
    if key == "train.ema" and not new:
        return "the average is dropped, and the parameters are evaluated in its place"
    return _EFFECTS.get(key, "")


def _rate(config: Mapping[str, Any], step: int) -> float:
    options = {k: v for k, v in config["optimizer"].items() if k != "clip"}
    return float(
        learning_rate_schedule(**options, steps=config["train"]["steps"])(step)
    )


def images_of(train: Sequence[Pair], held_out: Sequence[Pair]) -> dict[str, Any]:
    """What a checkpoint keeps of the images: values that JSON can hold."""
    digest = hashlib.sha256()
    for pair in train:
        digest.update(f"{mark(pair).pixels} {pair.weight}\n".encode())
    return {
        "validation": [list(mark(pair)) for pair in held_out],
        "train": {"count": len(train), "digest": digest.hexdigest()},
    }


def kept_marks(images: Mapping[str, Any]) -> list[Mark]:
    """The marks of the validation images in what `images_of` returned."""
    return [Mark(*known) for known in images["validation"]]


def describe_images(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two results of `images_of`."""
    old, new = ({m.pixels: m.name for m in kept_marks(x)} for x in (before, now))
    gone = [name for pixels, name in old.items() if pixels not in new]
    added = [name for pixels, name in new.items() if pixels not in old]
    lines = []
    if gone:
        lines.append(f"{len(gone)} of {len(old)} validation images gone: {_some(gone)}")
    if added:
        lines.append(
            f"{len(added)} validation images new, perhaps trained on before: "
            f"{_some(added)}"
        )
    if gone or added:
        lines.append("Scores from here on are of other images than those before")
    if before["train"] != now["train"]:
        lines.append(
            f"{now['train']['count']} training images, and not the "
            f"{before['train']['count']} of before: other crops from here on"
        )
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    return flax.traverse_util.flatten_dict(dict(config), sep=".")
