"""Every key of a config: known, of its type, and possible."""

import math

import pytest
from ml_collections import ConfigDict

from configs import base
from ignn_jax.errors import InputError
from ignn_jax.training import config as module
from ignn_jax.training.config import complete

DEFAULTS = module._flatten(base.get_config().to_dict())
NUMBERS = [k for k, v in DEFAULTS.items() if type(v) in (int, float)]


def changed(key, value):
    config = ConfigDict(base.get_config().to_dict())
    group, _, name = key.rpartition(".")
    config = config.to_dict()
    place = config
    for part in group.split(".") if group else ():
        place = place[part]
    place[name] = value
    return config


def refusal(key, value):
    with pytest.raises(InputError) as error:
        complete(changed(key, value))
    assert error.value.field == key
    assert "\n" not in str(error.value)
    return error.value.reason


def test_a_config_lacks_nothing_and_is_locked():
    config = complete({"train": {"steps": 7}})
    expected = base.get_config()
    expected.train.steps = 7
    assert config.to_dict() == expected.to_dict()
    assert config.is_locked


@pytest.mark.parametrize("key", DEFAULTS)
def test_values_of_another_type_are_refused(key):
    kind = type(DEFAULTS[key])
    for value in ("text", 1.5, True, None, (1,), {"a": 1}):
        if type(value) is kind or (kind is float and value == 1.5):
            continue
        if isinstance(value, dict):
            with pytest.raises(InputError, match=r"\.a: there is no such key"):
                complete(changed(key, value))
        else:
            refusal(key, value)


@pytest.mark.parametrize("key", NUMBERS)
def test_impossible_numbers_are_refused(key):
    assert key == "scale" or key in module._LIMITS  # the models check the scale
    if key == "scale":
        return
    least, most = module._LIMITS[key]
    for value in (math.nan, math.inf, -math.inf):
        refusal(key, value)
    kind = type(DEFAULTS[key])
    if math.isfinite(least):
        assert "must be" in refusal(key, kind(least - 1))
        complete(changed(key, kind(least)))
    if math.isfinite(most):
        assert "must be" in refusal(key, kind(most + 1))
        complete(changed(key, kind(most)))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("data.lr_patch", 0, "must be at least 1 and at most 65536, not 0"),
        ("train.steps", -3, "must be at least 1, not -3"),
        ("train.ema", 1.0, "must be a decay in [0, 1), not 1.0"),
        ("train.ema", math.nan, "must be a decay in [0, 1), not nan"),
        ("optimizer.learning_rate", -1e-4, "must be at least 0, not -0.0001"),
        ("model.residual_scale", math.inf, "must be a finite number, not inf"),
        ("train.batch_size", "4", "must be a whole number, not '4'"),
        ("train.batch_size", True, "must be a whole number, not True"),
        ("data.channel_shuffle", 1, "must be True or False, not 1"),
        ("data.cache", "a\0b", "must be one line of text, not 'a\\x00b'"),
        ("data.train", " ", "is empty; see docs/config.md for its values"),
    ],
)
def test_the_words(key, value, reason):
    assert refusal(key, value) == reason


def test_whole_floats_are_whole_numbers_and_the_reverse():
    config = complete({"train": {"steps": 1e5, "ema": 0}})
    assert (type(config.train.steps), config.train.steps) == (int, 100_000)
    assert type(config.train.ema) is float


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("train.stpes", "did you mean train.steps?"),
        ("trian.steps", "did you mean train.steps?"),
        ("model.graph.neighbours", "did you mean model.graph.neighbors?"),
        ("steps", "docs/config.md lists them all"),
        ("my.own", "docs/config.md lists them all"),
    ],
)
def test_an_unknown_key_is_refused_with_the_near_one(key, words):
    nested = {}
    place = nested
    *groups, name = key.split(".")
    for group in groups:
        place = place.setdefault(group, {})
    place[name] = 3
    with pytest.raises(InputError, match="there is no such key") as error:
        complete(nested)
    assert error.value.field == key
    assert words in error.value.reason


def test_a_group_has_no_value_of_its_own():
    with pytest.raises(InputError, match="train: is a group of keys"):
        complete({"train": 3})
