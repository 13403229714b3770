"""Arrays of either library: functions take both, and give JAX's unless they say."""

import jax
import numpy as np

Array = np.ndarray | jax.Array
