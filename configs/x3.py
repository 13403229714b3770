r"""The paper's x3 network and schedule.

  python -m ignn_jax.main --config=configs/x3.py --workdir=runs/x3 \
    --config.data.train=folder:DIV2K/DIV2K_train_HR --config.init.vgg19=vgg19.pth \
    --config.init.backbone=runs/edsr_x3

It trains on all 800 images of DIV2K and validates on DIV2K's own 100, DIV2K_valid_HR.

Hardware and hours: not measured; 800,000 steps need an accelerator.
PSNR: not measured with this code; the paper reports 34.72 dB on Set5.
"""

from ml_collections import ConfigDict

from configs import x2


def get_config() -> ConfigDict:
    config = x2.get_config()
    config.scale = 3
    return config
