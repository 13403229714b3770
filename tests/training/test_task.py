"""What a config describes, made."""

import jax
import jax.numpy as jnp
import numpy as np

from ignn_jax.training.task import (
    create_state,
    create_task,
    state_shapes,
    take_backbone,
)
from tests.networks import save_pictures
from tests.runs import config


def test_only_parameters_of_the_same_shape_are_taken():
    ours = {"a": {"kernel": jnp.zeros((3, 3))}, "b": jnp.zeros(2), "c": jnp.zeros(1)}
    theirs = {"a": {"kernel": np.ones((3, 3))}, "b": np.ones(3), "d": np.ones(1)}
    merged, fresh = take_backbone(ours, theirs)
    assert fresh == ["b", "c"]
    assert jax.tree.map(np.shape, merged) == jax.tree.map(np.shape, ours)
    assert merged["a"]["kernel"].min() == 1
    assert merged["b"].max() == merged["c"].max() == 0


def test_the_shapes_of_a_state_are_those_of_the_state(tmp_path):
    save_pictures(tmp_path / "pictures")
    wanted = config(tmp_path, {"model.name": "edsr", "train.ema": 0.5})
    task = create_task(wanted, lambda line: None)
    state = create_state(wanted, task, lambda line: None)
    expected = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    found = jax.tree.map(lambda x: (x.shape, x.dtype), state_shapes(task, ema=True))
    assert found == expected
