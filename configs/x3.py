"""The paper's x3 network and schedule.

  python -m ignn_jax.main --config=configs/x3.py --workdir=runs/x3 \
    --config.data.train=folder:DIV2K/DIV2K_train_HR --config.init.vgg19=vgg19.pth \
    --config.init.backbone=runs/edsr_x3
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.scale = 3
    return config
