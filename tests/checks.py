"""What several tests assert."""

import re

import jax
import numpy as np
import pytest

from ignn_jax.errors import InputError


def assert_same(ours, theirs):
    """Two trees of the same arrays."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def refusal(load, path):
    """The one line with the path that loading it is refused with."""
    with pytest.raises(InputError, match=re.escape(str(path))) as error:
        load(path)
    assert "\n" not in str(error.value)
    return str(error.value)
