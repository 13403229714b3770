"""The paper's x4 network and schedule.

  python -m ignn_jax.main --config=configs/x4.py --workdir=runs/x4 \
    --config.data.train=folder:DIV2K/DIV2K_train_HR --config.init.vgg19=vgg19.pth \
    --config.init.backbone=runs/edsr_x4
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.scale = 4
    return config
