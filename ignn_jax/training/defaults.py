"""Every key of a training config, with the paper's values at x2.

This is `configs/base.py`, which the other configs change; docs/config.md describes each
key. It is in the package because a run that was begun before a key existed goes on with
that key's default.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.scale = 2

    config.model = ConfigDict()
    config.model.name = "ignn"  # or "edsr": no graph
    config.model.features = 256
    config.model.num_blocks = 32
    config.model.residual_scale = 0.1
    config.model.dtype = "float32"  # or "bfloat16": of the convolutions only

    graph = config.model.graph = ConfigDict()
    graph.kind = "cross_scale"  # or "same_scale", "non_local" (Table 2)
    graph.position = 16  # residual blocks before the graph
    graph.neighbors = 5  # k
    graph.window = 30  # d, in grid cells; 0 searches the whole image
    graph.patch_size = 3  # l
    graph.patch_stride = 2
    graph.normalization = "adapn"  # or "none"
    graph.edge_weights = "ecn"  # or "gaussian"
    graph.den = "per_neighbor"  # or "aggregated": cheaper, as in the paper's text
    graph.fusion = "reference"  # or "residual": the network begins as its backbone
    # "vgg19", "backbone" or "rgb"; "auto": "vgg19" with init.vgg19, else "backbone"
    graph.embedding = "auto"
    graph.window_center = "centered"  # or "reference"

    config.data = ConfigDict()
    config.data.train = "photos"  # or "folder:PATH", "tfds:div2k/bicubic_x2", ...
    config.data.validation = "split:0.1"  # a tenth of the training images; a source; or
    # "own": the training source's own validation images
    config.data.lr_patch = 60
    config.data.channel_shuffle = False  # for sets with few colors
    config.data.cache = ""  # folder of decoded images; "" for the user's cache folder

    config.train = ConfigDict()
    config.train.steps = 800_000
    config.train.batch_size = 4  # over all devices
    # Parts in which each device processes its share of a batch.
    config.train.accumulate = 1
    config.train.ema = 0.0  # decay of the moving average of the parameters; 0 for none
    config.train.max_skipped = 100  # stop after this many non-finite updates in a row

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-4
    config.optimizer.schedule = "step"  # or "cosine", down to 0 at train.steps
    config.optimizer.decay_every = 200_000
    config.optimizer.decay_factor = 0.5
    config.optimizer.warmup = 0  # steps
    config.optimizer.clip = 0.0  # largest norm of the gradient; 0 for no limit

    config.init = ConfigDict()
    config.init.backbone = ""  # weights of a trained EDSR, or the workdir of its run
    config.init.vgg19 = ""  # npz, safetensors, or torchvision's .pth

    config.checkpoint = ConfigDict()
    config.checkpoint.every = 1000
    config.checkpoint.keep = 3  # the last ones, in addition to the best

    config.log = ConfigDict()
    config.log.every = 100

    config.eval = ConfigDict()
    config.eval.every = 5000
    # LR side of tiles, so that images of all sizes share a program; 0: whole images.
    config.eval.tile = 128

    return config
