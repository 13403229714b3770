r"""tiny-x2, the x2 network that comes with the package.

  python -m ignn_jax.main --config=configs/tiny_x2.py --workdir=runs/tiny_x2 \
    --config.data.train=folder:PATH --config.init.backbone=runs/tiny_edsr_x2

Hardware and hours: two CPU cores, busy with other work: 0.45 h for the EDSR that it
begins from (--config.model.name=edsr), 0.97 h for the IGNN.
PSNR: Set5 37.18 dB, Set14 32.85 dB, Urban100 (odd images) 30.48 dB, trained on the
images that docs/weights.md names.
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
