r"""A light x4 network: 64 features, 16 blocks (EDSR-baseline with a graph).

  python -m ignn_jax.main --config=configs/light_x4.py --workdir=runs/light_x4 \
    --config.data.train=folder:PATH

Hardware and hours: not measured; 800,000 steps need an accelerator.
PSNR: not measured.
"""

from ml_collections import ConfigDict

from configs import light_x2


def get_config() -> ConfigDict:
    config = light_x2.get_config()
    config.scale = 4
    return config
