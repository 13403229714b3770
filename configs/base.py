"""Every key that a run is described by, with the paper's values at x2.

Other configs are deltas over this one. Any key can be overridden on the command line:
--config.train.batch_size=16. docs/config.md says what each is for.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.scale = 2

    config.model = ConfigDict()
    config.model.name = "ignn"  # or "edsr": no graph at all
    config.model.features = 256
    config.model.num_blocks = 32
    config.model.residual_scale = 0.1
    config.model.dtype = "float32"  # or "bfloat16", of the convolutions

    graph = config.model.graph = ConfigDict()
    graph.kind = "cross_scale"  # or "same_scale", "non_local" (Table 2)
    graph.position = 16  # residual blocks before it
    graph.neighbors = 5  # k
    graph.window = 30  # d, in grid cells; 0 searches the whole image
    graph.patch_size = 3  # l
    graph.patch_stride = 2
    graph.normalization = "adapn"  # or "none"
    graph.edge_weights = "ecn"  # or "gaussian"
    graph.den = "per_neighbor"  # or "aggregated": cheaper, as the paper's text
    graph.fusion = "reference"  # or "residual": begins as its backbone
    graph.embedding = "auto"  # "vgg19" if init.vgg19 is given, else "backbone"; "rgb"
    graph.window_center = "centered"  # or "reference"

    config.data = ConfigDict()
    config.data.train = "photos"  # or "folder:PATH", "tfds:div2k/bicubic_x2"; a list
    config.data.validation = "split:0.1"  # of the training images; or a source
    config.data.lr_patch = 60
    config.data.channel_shuffle = False  # for sets of few colors
    config.data.cache = ""  # folder of decoded images; "": the user's cache folder

    config.train = ConfigDict()
    config.train.steps = 800_000
    config.train.batch_size = 4  # over all devices
    config.train.accumulate = 1  # parts that a device takes its share of a batch in
    config.train.ema = 0.0  # decay of the parameters' moving average; 0 for none
    config.train.max_skipped = 100  # updates in a row that are not finite, to stop at

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-4
    config.optimizer.schedule = "step"  # or "cosine", to 0 at train.steps
    config.optimizer.decay_every = 200_000
    config.optimizer.decay_factor = 0.5
    config.optimizer.warmup = 0  # steps
    config.optimizer.clip = 0.0  # largest norm of the gradient; 0 for any

    config.init = ConfigDict()
    config.init.backbone = ""  # weights of a trained EDSR, or a run's workdir
    config.init.vgg19 = ""  # npz, safetensors, or torchvision's .pth

    config.checkpoint = ConfigDict()
    config.checkpoint.every = 1000
    config.checkpoint.keep = 3  # the last ones, and the best beside them

    config.log = ConfigDict()
    config.log.every = 100

    config.eval = ConfigDict()
    config.eval.every = 5000
    config.eval.tile = 128  # LR side; one size, one compilation. 0: whole images

    return config
