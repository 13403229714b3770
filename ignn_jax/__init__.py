"""IGNN: the Cross-Scale Internal Graph Neural Network for image super-resolution.

Zhou, Zhang, Zuo, Loy, "Cross-Scale Internal Graph Neural Network for Image
Super-Resolution", NeurIPS 2020, in JAX and Flax.

    import ignn_jax as ignn

gives the models and the pure functions that training and evaluation are made of. The
list, with where each is defined, is `__init__.pyi`. Names are imported on first use:
JAX takes a second to import, and not every command needs it.

Images are NHWC RGB in [0, 255]: float32 in networks, uint8 in data and evaluation.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
