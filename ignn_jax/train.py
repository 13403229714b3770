"""Training: L1 and Adam with step decay on all devices, resumed from where it stopped.

`train_step` is a free function of a state and a batch; `train` is the loop around it.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import flax.traverse_util
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from ignn_jax import parallel
from ignn_jax.checkpoint import Checkpoints
from ignn_jax.comparison import Row, side_by_side
from ignn_jax.data.pipeline import Pair, make_pairs, train_batches
from ignn_jax.data.sources import drop_small, load_train_and_validation
from ignn_jax.errors import InputError
from ignn_jax.inference.upscalers import OVERLAP, bicubic_upscaler, network_upscaler
from ignn_jax.logs import Evaluations, Progress
from ignn_jax.models.factory import create_model
from ignn_jax.outputs import write_text
from ignn_jax.report import ReportSet, make_figure, write_report
from ignn_jax.results import network_protocol, protocol
from ignn_jax.scores import Score, mean_score, score
from ignn_jax.weights import FILENAME, load_vgg19, load_weights, save_weights


@flax.struct.dataclass
class TrainState:
    """All that a step changes, and the frozen variables beside it."""

    step: jax.Array
    params: Any
    opt_state: Any
    frozen: dict[str, Any]  # collections without gradient: VGG19's weights, or none

    @property
    def variables(self) -> dict[str, Any]:
        """As `model.apply` takes them."""
        return {"params": self.params, **self.frozen}


def init_state(
    variables: dict[str, Any], optimizer: optax.GradientTransformation
) -> TrainState:
    """The state before the first step."""
    frozen = {name: tree for name, tree in variables.items() if name != "params"}
    params = variables["params"]
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), frozen)


def train_step(
    state: TrainState,
    batch: dict[str, jax.Array],
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of L1, on each device of `parallel.parallelize`.

    Args:
      state: the same on every device.
      batch: this device's part: "lr" [B, P, P, 3] and "hr" [B, S * P, S * P, 3], uint8.
      model: the network.
      optimizer: as of Optax.

    Returns:
      The next state, and {"loss": mean L1 on the scale of 0..255} over all devices.
    """
    lr, hr = (batch[name].astype(jnp.float32) for name in ("lr", "hr"))

    def mean_l1(params):
        sr = model.apply({**state.frozen, "params": params}, lr)
        return jnp.abs(sr - hr).mean()

    loss, gradients = parallel.average(jax.value_and_grad(mean_l1)(state.params))
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = state.replace(step=state.step + 1, params=params, opt_state=opt_state)
    return state, {"loss": loss}


def adam_with_step_decay(
    learning_rate: float, decay_every: int, decay_factor: float
) -> optax.GradientTransformation:
    """Adam(0.9, 0.999, 1e-8), its rate multiplied by the factor every so many steps."""
    schedule = optax.exponential_decay(
        learning_rate, decay_every, decay_factor, staircase=True
    )
    return optax.adam(schedule)


def take_backbone(params: Any, backbone: Any) -> tuple[Any, list[str]]:
    """Replaces the parameters that a trained backbone has too, by name and shape.

    Args:
      params: of the network to train.
      backbone: of another network.

    Returns:
      The new parameters, and the names of those that were not in the backbone.
    """
    ours, theirs = (
        flax.traverse_util.flatten_dict(tree, sep="/") for tree in (params, backbone)
    )
    taken = {
        name: jnp.asarray(theirs[name])
        for name, array in ours.items()
        if name in theirs and theirs[name].shape == array.shape
    }
    merged = flax.traverse_util.unflatten_dict({**ours, **taken}, sep="/")
    return merged, sorted(ours.keys() - taken.keys())


def train(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Trains what the config describes, going on from the workdir's last checkpoint.

    Writes into the workdir: `config.json`; `checkpoints/`; `weights.safetensors`, the
    network as of the last checkpoint; `metrics.jsonl`, a line for each evaluation; and
    at the end `comparison.png` and `report.html`.

    Raises:
      InputError: the config cannot be followed.
    """
    parallel.check_batch_size(config.train.batch_size)
    if config.train.steps < 1:
        raise InputError(f"train.steps={config.train.steps}: give at least 1")
    checkpoints = Checkpoints(workdir, config.checkpoint.keep)
    config = _resolve(config, checkpoints)
    model = create_model({"scale": config.scale, **config.model.to_dict()})
    optimizer = adam_with_step_decay(**config.optimizer)
    train_pairs, validation_pairs = _load_data(config)
    state = _first_state(config, checkpoints, model, optimizer)
    start, end = int(state.step), config.train.steps
    checkpoints.create()  # only now, so that a refused run leaves nothing behind
    write_text(workdir / "config.json", config.to_json(indent=2))

    validation = Validation(validation_pairs, config.scale, config.eval.tile)
    evaluations = Evaluations(workdir / "metrics.jsonl", start)
    apply = jax.jit(model.apply)

    def evaluate(state, loss=None):
        variables = jax.device_put(state.variables)  # once, not for every tile
        rows, scores = validation.run(functools.partial(apply, variables))
        evaluations.add(int(state.step), mean_score(scores), loss)
        return rows, scores

    print(
        f"Validation on {len(validation_pairs)} images; bicubic: {validation.bicubic}"
    )
    if not evaluations.rows:
        evaluate(state)

    batches = train_batches(
        train_pairs,
        lr_patch=config.data.lr_patch,
        scale=config.scale,
        batch_size=config.train.batch_size // jax.process_count(),
        seed=config.seed,
        start_step=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        channel_shuffle=config.data.channel_shuffle,
    )
    step = parallel.parallelize(
        functools.partial(train_step, model=model, optimizer=optimizer)
    )
    replicated = parallel.replicate(state)
    with Progress(start, end) as progress:
        for n in range(start + 1, end + 1):
            replicated, metrics = step(replicated, parallel.split(next(batches)))
            progress.advance(metrics["loss"])
            due = n % config.eval.every == 0 and n < end
            save = n % config.checkpoint.every == 0 or n == end
            if due or save:
                state = parallel.unreplicate(replicated)
            if save:
                checkpoints.save(n, state, config.to_dict())
                save_weights(workdir / FILENAME, model, state.variables, step=n)
            if due:
                evaluate(state, progress.take_loss())
    checkpoints.close()

    last_step = int(state.step)  # beyond the end, if the run was longer once
    results = evaluate(state, progress.take_loss())
    validation.write(workdir, *results, label=config.model.name.upper(), step=last_step)
    first, last = (evaluations.rows[n]["psnr"] for n in (0, -1))
    bicubic = validation.bicubic.psnr
    print(
        f"PSNR on Y: {first:.2f} dB before, {last:.2f} dB after {last_step} steps "
        f"({last - first:+.2f} dB); bicubic has {bicubic:.2f} dB "
        f"({last - bicubic:+.2f} dB)\n"
        f"Side by side: {workdir / 'comparison.png'}, {workdir / 'report.html'}\n"
        f"Upscale a picture: ignn-jax upscale PHOTO --weights {workdir}"
    )


class Validation:
    """The held-out images, and bicubic's scores on them."""

    def __init__(self, pairs: dict[str, Pair], scale: int, tile: int):
        """Upscales the images by bicubic; `tile` is for the network."""
        upscale = bicubic_upscaler(scale)
        self._scale, self._tile = scale, tile
        self._rows = [
            Row(name, *pair, upscale(pair.lr)) for name, pair in pairs.items()
        ]
        self._bicubic = [score(row.bicubic, row.hr, scale=scale) for row in self._rows]

    @property
    def bicubic(self) -> Score:
        """Bicubic's mean."""
        return mean_score(self._bicubic)

    def run(self, apply: Callable[[Any], Any]) -> tuple[list[Row], list[Score]]:
        """The images upscaled by a network (see `network_upscaler`), and its scores."""
        upscale = network_upscaler(apply, scale=self._scale, tile=self._tile)
        rows = [row._replace(sr=upscale(row.lr)) for row in self._rows]
        return rows, [score(row.sr, row.hr, scale=self._scale) for row in rows]

    def write(
        self,
        workdir: pathlib.Path,
        rows: list[Row],
        scores: list[Score],
        *,
        label: str,
        step: int,
    ) -> None:
        """Writes `comparison.png` and `report.html` of what `run` returned."""
        picture = side_by_side(rows, label=label, scale=self._scale)
        picture.save(workdir / "comparison.png")
        network = network_protocol(tile=self._tile, overlap=OVERLAP, ensemble=False)
        write_report(
            workdir / "report.html",
            [
                ReportSet(
                    "validation",
                    "LR made by MATLAB's bicubic",
                    list(map(make_figure, rows, self._bicubic, scores)),
                )
            ],
            title=f"{label}, \u00d7{self._scale}: validation",
            label=label,
            scale=self._scale,
            protocol=protocol(scale=self._scale, network=network),
            details={"Step": str(step), "Workdir": str(workdir)},
        )


def _resolve(config, checkpoints):
    """The config with "auto" decided, checked against what the workdir was begun with.

    Raises:
      InputError: the workdir holds a run of another network.
    """
    config = config.copy_and_resolve_references()
    graph = config.model.graph
    saved = checkpoints.config() if checkpoints.latest is not None else None
    if config.model.name == "ignn" and graph.embedding == "auto":
        if saved:
            graph.embedding = saved["model"]["graph"]["embedding"]
        else:
            graph.embedding = "vgg19" if config.init.vgg19 else "backbone"
        print(f"model.graph.embedding=auto: {graph.embedding}")
    if saved:
        ours, theirs = (
            flax.traverse_util.flatten_dict(
                {"scale": c["scale"], "model": c["model"]}, sep="."
            )
            for c in (config.to_dict(), saved)
        )
        for key in ours.keys() | theirs.keys():
            if ours.get(key) != theirs.get(key):
                raise InputError(
                    f"{key}={ours.get(key)}, but this --workdir holds a run with "
                    f"{key}={theirs.get(key)}; give another --workdir"
                )
    return config


def _load_data(config):
    """The training pairs, and the validation pairs by name."""
    train_set, validation = load_train_and_validation(
        config.data.train, config.data.validation
    )
    train_set = drop_small(train_set, config.data.lr_patch * config.scale)
    validation = drop_small(validation, 16 * config.scale)
    for name, reason in train_set.left_out + validation.left_out:
        print(f"Left out: {name}: {reason}")
    print(f"Training on {len(train_set.images)} images of {config.data.train}")
    pairs = make_pairs(train_set.images, scale=config.scale)
    held_out = make_pairs(validation.images, scale=config.scale)
    return pairs, dict(zip(validation.names, held_out, strict=True))


def _first_state(config, checkpoints, model, optimizer):
    """The last checkpoint's state; or a fresh one, from the weights of `init`."""
    # XLA takes thrice as long to compile the default generator for so many arrays.
    key = jax.random.key(config.seed, impl="rbg")
    variables = jax.jit(model.init)(key, jnp.zeros((1, 8, 8, 3)))
    if checkpoints.latest is not None:
        state = checkpoints.restore(init_state(variables, optimizer))
        print(f"Resuming from step {state.step}")
        return state
    if config.init.backbone:
        _, backbone, _ = load_weights(config.init.backbone)
        params, fresh = take_backbone(variables["params"], backbone["params"])
        variables["params"] = params
        print(f"init.backbone={config.init.backbone}: not in it, so fresh: {fresh}")
    if "vgg19" in variables:
        if not config.init.vgg19:
            raise InputError(
                "model.graph.embedding=vgg19 needs init.vgg19, a file with VGG19's "
                "weights; or set model.graph.embedding=backbone"
            )
        variables.update(load_vgg19(config.init.vgg19))
    return init_state(variables, optimizer)
