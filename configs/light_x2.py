r"""A light x2 network: 64 features, 16 blocks (EDSR-baseline with a graph).

  python -m ignn_jax.main --config=configs/light_x2.py --workdir=runs/light_x2 \
    --config.data.train=folder:PATH

Hardware and hours: two CPU cores take 5 s a step and an H200 about 20 ms for a batch
of 16, so 800,000 steps need an accelerator (docs/performance.md).
PSNR: not measured for these settings; docs/weights.md has light-x2.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.model.features = 64
    config.model.num_blocks = 16
    config.model.residual_scale = 1.0
    config.model.graph.position = 8
    return config
