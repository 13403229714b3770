"""The measurement of GraphAgg*, on small pictures."""

import ignn_jax as ignn
from experiments import graph_agg
from ignn_jax.data.benchmarks import find_benchmark, read_pair
from tests.networks import save_pictures, save_vgg19


def test_each_set_has_a_table(tmp_path, monkeypatch, capsys):
    save_pictures(tmp_path / "sets" / "One", count=3)
    save_vgg19(tmp_path)
    variants = {"by color, k = 1": {"neighbors": 1}, "by VGG19": {"neighbors": 2}}
    monkeypatch.setattr(graph_agg, "VARIANTS", variants)

    arguments = [tmp_path / "sets", "--sets", "One", "--every", "2"]
    arguments = list(map(str, [*arguments, "--vgg19", tmp_path / "vgg19.npz"]))
    assert graph_agg.main(arguments) == 0
    head, _, bicubic, color, vgg19 = capsys.readouterr().out.strip().splitlines()
    assert "One, 2 images" in head

    files = find_benchmark(tmp_path / "sets" / "One", scale=2).pairs[::2]
    pairs = [read_pair(one, scale=2) for one in files]
    config = ignn.GraphConfig(neighbors=1)
    expected = {
        bicubic: ("bicubic", ignn.bicubic_upscaler(2)),
        color: ("by color, k = 1", ignn.graph_agg_upscaler(2, config=config)),
    }
    for line, (name, upscale) in expected.items():
        score = ignn.mean_score(ignn.evaluate(upscale, pairs))
        assert line.startswith(f"| {name} | {score} |")
    assert vgg19.startswith("| by VGG19 |")
    assert vgg19.split("|")[2:] != color.split("|")[2:]


def test_mistakes_are_one_line(tmp_path, capsys):
    assert graph_agg.main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'none'}: no such folder\n"
