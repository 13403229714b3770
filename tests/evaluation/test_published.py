"""The paper's scores: complete, plausible, and beside ours."""

import pytest

from ignn_jax.evaluation import published
from ignn_jax.evaluation.formats import format_set
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import Score

# Which cells of Table 1 the paper leaves empty, and which two it misprints.
EMPTY = {("NLRN", scale, "Manga109") for scale in (2, 3, 4)}
EMPTY |= {("DBPN", 3, name) for name in published._content()["sets"]}
MISPRINTS = [("VDSR", 4, "BSD100", "ssim"), ("LapSRN", 2, "BSD100", "psnr")]


def cells():
    """Every cell of Table 1 by (method, scale, set)."""
    for name, count in published._content()["sets"].items():
        for scale in (2, 3, 4):
            scores = published.published_scores(name, count, scale=scale)
            for method, score in scores.items():
                yield (method, scale, name), score


def test_table_1_is_whole():
    methods = list(published._content()["table1"])
    assert len(methods) == 13  # eleven beside the paper's own two
    assert tuple(methods[-2:]) == published.OURS
    sets = list(published._content()["sets"])
    every = {(m, scale, name) for m in methods for scale in (2, 3, 4) for name in sets}
    assert dict(cells()).keys() == every - EMPTY
    assert published.published_scores("Set5", 5, scale=2)["IGNN"] == (38.24, 0.9613)
    ours = published.published_scores("Manga109", 109, scale=4)["IGNN+"]
    assert ours == (31.59, 0.9207)


def test_all_but_the_misprints_is_plausible():
    table = dict(cells())
    for method, scale, name, score in MISPRINTS:
        key = method, scale, name
        printed = getattr(table[key], score)
        [noted] = [
            cell
            for cell in published._content()["misprints"]
            if (cell["method"], cell["scale"], cell["set"]) == key
        ]
        assert (noted["score"].lower(), float(noted["printed"])) == (score, printed)
        table[key] = table[key]._replace(**{score: float(noted["elsewhere"])})
    assert len(published._content()["misprints"]) == len(MISPRINTS)
    for (method, scale, name), score in table.items():
        # No method is far from the others on the same images.
        vdsr = table["VDSR", scale, name]
        assert -0.5 < score.psnr - vdsr.psnr < 3, (method, scale, name)
        assert -0.01 < score.ssim - vdsr.ssim < 0.07, (method, scale, name)
        if (method, scale - 1, name) in table:  # the larger the scale, the harder
            assert score.psnr < table[method, scale - 1, name].psnr
            assert score.ssim < table[method, scale - 1, name].ssim


def test_tables_2_to_6_agree_with_table_1():
    # These tables report Urban100 at x2: each has the row of the paper's own network.
    rows = published.published_scores("Urban100", 100, scale=2)
    full = ["IGNN", "after 16th", "d = 30", "k = 5", "IGNN"]
    counts = [4, 3, 4, 6, 4]
    for number, variant, count in zip(range(2, 7), full, counts, strict=True):
        table = published.published_table(number)
        assert table[variant] == rows["IGNN"]
        assert len(table) == count
    assert published.published_table(2)["Baseline (EDSR)"] == rows["EDSR"]
    assert published.published_table(4)["d = 10"] == Score(33.14, 0.9372)


def test_misprints_are_noted_where_they_are():
    assert "LapSRN's PSNR on BSD100, 31.08, is 31.80" in published.published_note(
        scale=2
    )
    assert "misprint" not in published.published_note(scale=3)
    assert "VDSR's SSIM on BSD100, 0.0726, is 0.7260" in published.published_note(
        scale=4
    )


@pytest.mark.parametrize(
    ("name", "images", "expected"),
    [
        ("Set5", 5, "Set5"),
        ("set_14", 14, "Set14"),
        ("B100", 100, "BSD100"),
        ("Urban100", 50, None),
        ("Urban100-odd", 50, None),
        ("photos", 5, None),
    ],
)
def test_only_whole_known_sets_are_compared(name, images, expected):
    assert published.published_set(name, images) == expected


def test_the_difference_is_ours_less_theirs():
    scores = {"IGNN": Score(38.0, 0.95)}
    images = [ImageResult(str(n), 8, 8, "made", scores) for n in range(5)]
    result = SetResult("Set5", images)
    table = format_set(result, scale=2)
    assert table.splitlines()[-3].split() == [
        *("IGNN", "38.24", "dB", "/", "0.9613"),
        *("-0.24", "dB", "/", "-0.0113"),
    ]
    assert table.splitlines()[-1] == published.published_note(scale=2)
    assert "published" not in format_set(result, scale=8).lower()
