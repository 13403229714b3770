"""A light x3 network: 64 features and 16 blocks, as EDSR-baseline, and the graph.

  python -m ignn_jax.main --config=configs/light_x3.py --workdir=runs/light_x3 \
    --config.data.train=folder:PATH
"""

from ml_collections import ConfigDict

from configs import light_x2


def get_config() -> ConfigDict:
    config = light_x2.get_config()
    config.scale = 3
    return config
