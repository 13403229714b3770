"""How a config trains, and the shapes that its step takes."""

import jax

from ignn_jax.training import parallel
from ignn_jax.training.recipe import batch_shapes, create_recipe, state_shapes
from ignn_jax.training.task import create_state, create_task
from tests.networks import save_pictures
from tests.runs import config


def shapes(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


def test_the_shapes_of_state_and_batch_are_those_of_state_and_batch(tmp_path):
    save_pictures(tmp_path / "pictures")
    wanted = config(tmp_path, {"model.name": "edsr", "train.ema": 0.5})
    task = create_task(wanted, lambda line: None)
    state = create_state(wanted, task, lambda line: None)
    recipe = create_recipe(wanted)
    state_shape = state_shapes(recipe.model, recipe.optimizer, ema=True)
    assert shapes(state_shape) == shapes(state)
    batch = next(task.batches(0))
    assert shapes(batch_shapes(wanted)) == shapes(batch)
    # And as they are on the devices.
    on_devices = parallel.replicate(state), parallel.split(batch)
    devices = jax.local_devices()
    found = parallel.shapes_on_devices(state_shape, batch_shapes(wanted), devices)
    assert shapes(found) == shapes(on_devices)
