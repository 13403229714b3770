r"""tiny-x4: as tiny-x2, but for x4.

  python -m ignn_jax.main --config=configs/tiny_x4.py --workdir=runs/tiny_x4 \
    --config.data.train=folder:PATH --config.init.backbone=tiny-x2

It begins from the parameters of tiny-x2, all but those of the upsampler.
Hardware, hours and PSNR: docs/weights.md.
"""

from ml_collections import ConfigDict

from configs import tiny_x2


def get_config() -> ConfigDict:
    config = tiny_x2.get_config()
    config.scale = 4
    return config
