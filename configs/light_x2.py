"""A light x2 network: 64 features and 16 blocks, as EDSR-baseline, and the graph.

  python -m ignn_jax.main --config=configs/light_x2.py --workdir=runs/light_x2 \
    --config.data.train=folder:PATH
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
