r"""tiny-x2, the x2 network that comes with the package.

  python -m ignn_jax.main --config=configs/tiny_x2.py --workdir=runs/tiny_x2 \
    --config.data.train=folder:PATH --config.init.backbone=runs/tiny_edsr_x2

Hardware, hours and PSNR: docs/weights.md, with the command and the keys that were
changed for it.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.model.features = 32
    config.model.num_blocks = 8
    config.model.residual_scale = 1.0
    config.model.graph.position = 4
    config.model.graph.den = "aggregated"
    config.model.graph.fusion = "residual"
    config.data.lr_patch = 48
    config.train.steps = 5000
    config.train.ema = 0.995
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup = 100
    config.checkpoint.every = 500
    config.eval.every = 2500
    return config
