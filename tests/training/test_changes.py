"""What a run that goes on does differently: refused, allowed, or told."""

import json
import re
import shutil

import jax
import numpy as np
import pytest

from configs import light_x2
from ignn_jax.data.pairs import Pair
from ignn_jax.data.splits import mark
from ignn_jax.errors import InputError
from ignn_jax.training import changes, run
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.first_steps import FirstSteps
from ignn_jax.training.optimizer import learning_rate_schedule
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import load
from tests.networks import save_pictures
from tests.runs import metrics, train_here

RUN = {
    "model.name": "edsr",
    "data.validation": "split:0.3",
    "train.steps": 20,
    "checkpoint.every": 5,
    "eval.every": 20,
    "log.every": 5,
}


def config(**keys):
    config = light_x2.get_config()
    for key, value in keys.items():
        config.update_from_flattened_dict({key.replace("__", "."): value})
    return config


def describe(new, old=None, *, allow=True, step=1000):
    old = (old or config()).to_dict()
    return changes.describe_changes(new, old, step=step, allow_changes=allow)


# Configs


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"train__ema": 0.9}, "an average begins, at the parameters of step 1000"),
        ({"train__batch_size": 8}, "from number 8,000 of .* instead of 4,000;"),
        ({"seed": 3}, "other crops from here on"),
        ({"init__vgg19": "x.npz"}, "no effect, since the weights are those of the"),
        ({"train__steps": 2000}, "training ends after step 2000"),
        ({"train__steps": 500}, "it has ended"),
        ({"data__lr_patch": 48}, ""),
    ],
)
def test_what_changes_the_training_has_to_be_allowed(keys, words):
    ((key, value),) = keys.items()
    name = key.replace("__", ".")
    (line,) = describe(config(**keys))
    assert re.match(rf"{name}={value} \(was [^)]*\)", line)
    assert re.search(words, line)
    with pytest.raises(
        InputError, match=rf"workdir: .* another config: {name}=.*allow"
    ):
        describe(config(**keys), allow=False)


@pytest.mark.parametrize(
    "keys",
    [{"log__every": 7}, {"eval__every": 7, "checkpoint__keep": 9}, {"eval__tile": 0}],
)
def test_what_changes_no_weights_is_free(keys):
    assert len(describe(config(**keys), allow=False)) == len(keys)


@pytest.mark.parametrize("keys", [{"scale": 3}, {"model__graph__neighbors": 3}])
def test_the_network_stays(keys):
    with pytest.raises(InputError, match=r"another network: .*give another folder"):
        describe(config(**keys))


def test_a_learning_rate_that_jumps_is_told():
    """A cosine that was nearly at its end, and is extended."""
    old = config(optimizer__schedule="cosine", train__steps=1100)
    new = config(optimizer__schedule="cosine", train__steps=4000)
    rates = [
        learning_rate_schedule(learning_rate=1e-4, schedule="cosine", steps=steps)(1000)
        for steps in (4000, 1100)
    ]
    assert rates[0] > 40 * rates[1]
    assert describe(new, old)[-1] == (
        f"The next step's learning rate is {rates[0]:.3g}, instead of {rates[1]:.3g}"
    )
    extended = config(train__steps=4000)  # in the paper's steps
    assert not any("rate is" in line for line in describe(extended))


def test_a_key_that_did_not_exist_has_its_default():
    saved = config().to_dict()
    del saved["train"]["ema"], saved["model"]["graph"]["fusion"], saved["eval"]
    complete = changes.with_defaults(saved)
    assert complete == config(eval__every=5000, eval__tile=128).to_dict()
    assert describe(config(eval__every=5000)) == []
    (line,) = changes.describe_changes(
        config(train__ema=0.5), complete, step=1, allow_changes=True
    )
    assert line.startswith("train.ema=0.5 (was 0.0): ")
    saved["train"]["gone"] = 3  # of a version that had another key
    (line,) = changes.describe_changes(
        config(), changes.with_defaults(saved), step=1, allow_changes=False
    )
    assert line == "train.gone=3 is a key of another version, and has no effect"


# Images


def test_changes_of_the_images_are_told():
    pairs = [
        Pair(f"{n}.png", hr[::2, ::2], hr)
        for n in range(9)
        for hr in [np.random.default_rng(n).integers(0, 256, (8, 8, 3), np.uint8)]
    ]
    before = json.loads(json.dumps(changes.images_of(pairs[:4], pairs[4:6])))
    assert changes.kept_marks(before) == [mark(pair) for pair in pairs[4:6]]
    renamed = [pair._replace(name=f"new/{pair.name}") for pair in pairs]
    same = changes.images_of(renamed[:4], renamed[4:6])
    assert changes.describe_images(before, same) == []
    other = changes.images_of(pairs[:3], pairs[5:])
    assert changes.describe_images(before, other) == [
        "1 of 2 validation images gone: 4.png",
        "3 validation images new, perhaps trained on before: 6.png, 7.png, 8.png",
        "Scores from here on are of other images than those before",
        "3 training images, and not the 4 of before: other crops from here on",
    ]


# Runs


class Failure(Exception):
    pass


class FailingAt17(FirstSteps):
    def after(self, update):
        super().after(update)
        if update.step == 17:
            raise Failure


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with a run that broke off after its checkpoint at step 15."""
    folder = tmp_path_factory.mktemp("changes")
    save_pictures(folder / "pictures", count=7)
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setattr(run, "FirstSteps", FailingAt17)
        with pytest.raises(Failure):
            train_here(folder, "run", RUN)
    return folder


@pytest.fixture
def folder(begun, tmp_path):
    """A copy of it, whose pictures are where they were."""
    shutil.copytree(begun / "run", tmp_path / "run")
    return tmp_path


def go_on(begun, folder, changes, **options):
    pictures = {"data.train": f"folder:{begun / 'pictures'}"}
    return train_here(folder, "run", {**RUN, **pictures, **changes}, **options)


def kept(workdir):
    step, info = Checkpoints(workdir, 3).peek()
    return step, changes.kept_marks(info["images"]), info["images"]["train"]["count"]


def test_images_that_are_added_move_no_validation_image(begun, folder):
    _, before, count = kept(folder / "run")
    assert (len(before), count) == (2, 5)
    held_out = begun / "pictures" / before[0].name
    try:
        save_pictures(begun / "more", count=12)
        for n in range(7, 12):
            (begun / "more" / f"{n}.png").rename(begun / "pictures" / f"a{n}.png")
        held_out.rename(held_out.with_name("z.png"))
        _, told = go_on(begun, folder, {})
    finally:
        for path in (begun / "pictures").glob("a*.png"):
            path.unlink()
        held_out.with_name("z.png").rename(held_out)
    step, after, count = kept(folder / "run")
    assert step == 20
    assert {known.pixels for known in after} == {known.pixels for known in before}
    assert {known.name for known in after} == {before[1].name, "z.png"}
    assert count == 10
    assert "Changed: 10 training images, and not the 5 of before: other crops" in told
    assert "validation images" not in re.sub("Bicubic on.*", "", told)


def test_a_run_of_an_earlier_version_goes_on(begun, tmp_path, monkeypatch):
    """With keys missing in its config, and no list of its validation images."""
    save = Checkpoints.save

    def save_as_before(self, step, state, info):
        config = json.loads(json.dumps(info["config"]))
        del config["train"]["max_skipped"], config["model"]["graph"]
        save(self, step, state, {"config": config, "psnr": None})

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save_as_before)
        go_on(begun, tmp_path, {"train.steps": 5})
    changed = {"train.steps": 6}
    with pytest.raises(InputError, match=r"another network: model\.graph\.den=aggr"):
        go_on(begun, tmp_path, changed, allow_changes=True)
    changed |= {"model.graph.den": "per_neighbor", "model.graph.position": 16}
    changed |= {"model.graph.neighbors": 5, "model.graph.window": 30}
    _, told = go_on(begun, tmp_path, changed, allow_changes=True)
    assert "Resuming from step 5\n" in told
    assert re.findall("Changed: (.*)", told) == [
        "train.steps=6 (was 5): training ends after step 6"
    ]
    _, marks, _ = kept(tmp_path / "run")
    assert [known.name for known in marks] == ["1.png", "5.png"]  # by their positions


def test_a_run_is_extended_averaged_and_has_other_batches(begun, folder):
    state, told = go_on(
        begun,
        folder,
        {"train.steps": 22, "train.ema": 0.5, "train.batch_size": 4},
        allow_changes=True,
    )
    assert "Changed: train.ema=0.5 (was 0.0): an average begins, at the par" in told
    assert "Changed: train.steps=22 (was 20): training ends after step 22\n" in told
    assert "from number 60 of their stream, instead of 30; the learning" in told
    assert int(state.step) == 22
    _, variables = load(folder / "run" / FILENAME)
    jax.tree.map(np.testing.assert_array_equal, variables["params"], state.ema)
    assert not np.array_equal(
        *(jax.tree.leaves(x)[-1] for x in (state.ema, state.params))
    )

    state, told = go_on(begun, folder, {"train.steps": 23}, allow_changes=True)
    assert "the average is dropped, and the parameters are evaluated in its" in told
    assert state.ema is None
    _, variables = load(folder / "run" / FILENAME)
    jax.tree.map(np.testing.assert_array_equal, variables["params"], state.params)
    assert [row["step"] for row in metrics(folder / "run", "psnr")] == [0, 20, 22, 23]
