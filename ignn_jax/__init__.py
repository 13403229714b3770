"""IGNN: the Cross-Scale Internal Graph Neural Network for image super-resolution.

Zhou, Zhang, Zuo, Loy, "Cross-Scale Internal Graph Neural Network for Image
Super-Resolution", NeurIPS 2020, in JAX and Flax.
"""
