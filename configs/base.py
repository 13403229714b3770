"""Every key of a training config, with the paper's values at x2.

The keys are listed in ignn_jax/training/defaults.py, and described in docs/config.md.
The other configs change some of them. Any key can be overridden on the command line, as
in --config.train.batch_size=16.
"""

from ignn_jax.training.defaults import get_config

__all__ = ["get_config"]
