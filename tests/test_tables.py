"""Tables as text."""

import pytest

from ignn_jax.tables import markdown_table, text_table


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [("name", "PSNR", "SSIM"), ("butterfly", 27.5, None), ("a", 31.25, "")]
    assert text_table(rows, align="<>").splitlines() == [
        "name        PSNR  SSIM",
        "butterfly   27.5  None",
        "a          31.25",
    ]


def test_rows_must_be_equally_long():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        text_table([("a", "b"), ("c",)])


def test_markdown():
    assert markdown_table([("a|b", 1), ("c", 2)]) == (
        "| a\\|b | 1 |\n| --- | --- |\n| c | 2 |"
    )
