"""What a config describes, made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.training.task import create_state, create_task, take_backbone
from ignn_jax.weights.network import save
from tests.networks import random_variables, save_pictures
from tests.runs import config


def test_only_parameters_of_the_same_shape_are_taken():
    ours = {"a": {"kernel": jnp.zeros((3, 3))}, "b": jnp.zeros(2), "c": jnp.zeros(1)}
    theirs = {"a": {"kernel": np.ones((3, 3))}, "b": np.ones(3), "d": np.ones(1)}
    merged, fresh, unused = take_backbone(ours, theirs)
    assert fresh == ["b", "c"]
    assert unused == ["b", "d"]
    assert jax.tree.map(np.shape, merged) == jax.tree.map(np.shape, ours)
    assert merged["a"]["kernel"].min() == 1
    assert merged["b"].max() == merged["c"].max() == 0


@pytest.fixture
def edsr(tmp_path):
    """A backbone of 4 features and 3 blocks, at x3."""
    model = EDSR(scale=3, features=4, num_blocks=3, residual_scale=0.5)
    save(tmp_path / "edsr.safetensors", model, random_variables(model))
    save_pictures(tmp_path / "pictures")
    return tmp_path / "edsr.safetensors"


def begin(tmp_path, edsr, features):
    wanted = config(
        tmp_path,
        {
            "model.name": "edsr",
            "model.features": features,
            "init.backbone": edsr,
        },
    )
    told = []
    create_state(wanted, create_task(wanted, told.append), told.append)
    return told


def test_what_a_backbone_does_not_give_is_told(tmp_path, edsr):
    told = begin(tmp_path, edsr, features=4)
    assert any("not in it, so fresh: upsample_0/conv/bias" in line for line in told)
    [unused] = [line for line in told if line.startswith("In init.backbone, but not")]
    assert "block_2/conv_0/kernel" in unused
    assert any("trained with residual_scale=0.5, and model.resi" in x for x in told)


def test_a_backbone_that_fits_nowhere_is_refused(tmp_path, edsr):
    with pytest.raises(InputError, match="is a network of 4 features") as error:
        begin(tmp_path, edsr, features=8)
    assert error.value.field == "init.backbone"
