r"""The paper's x2 network and schedule: the values of base.py.

  python -m ignn_jax.main --config=configs/x2.py --workdir=runs/x2 \
    --config.data.train=folder:DIV2K/DIV2K_train_HR --config.init.vgg19=vgg19.pth \
    --config.init.backbone=runs/edsr_x2

It trains on all 800 images of DIV2K and validates on DIV2K's own 100, DIV2K_valid_HR.

Hardware and hours: not measured; 800,000 steps need an accelerator.
PSNR: not measured with this code; the paper reports 38.24 dB on Set5.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.data.validation = "own"
    return config
