"""The report of a validation of many images."""

import numpy as np

from ignn_jax.data.pairs import Pair
from ignn_jax.models import EDSR
from ignn_jax.ops.bicubic import imresize
from ignn_jax.training import validation
from tests.networks import random_variables


def test_a_report_of_some_images_says_so_and_has_the_mean_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "_SHOWN", 2)
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
    pairs = [Pair(str(n), imresize(x, scale=0.5), x) for n, x in enumerate(hr)]
    model = EDSR(scale=2, features=4, num_blocks=1)
    runs = validation.Validation(pairs, model, 0)
    validated = runs.run(random_variables(model), lambda: False)
    runs.write(tmp_path, validated, 7)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "validation, the first 2 of 3" in report
    assert "Mean of all 3 images" in report
    assert str(runs.bicubic) in report
    assert str(validated.mean) in report
