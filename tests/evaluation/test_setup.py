"""Several networks beside each other, and networks with another graph."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest

from ignn_jax.cli import main
from ignn_jax.errors import InputError
from ignn_jax.evaluation.setup import load_setup
from ignn_jax.evaluation.variants import Variant, all_variants, change_graph
from ignn_jax.inference.upscalers import upscaler
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.embedding import VGG19
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import random_variables, save_pictures, tiny_ignn


def save_network(folder, model, seed=0):
    folder.mkdir(exist_ok=True)
    save(folder / FILENAME, model, random_variables(model, seed), step=7)
    return folder


@pytest.fixture(scope="module")
def ignn(tmp_path_factory):
    return save_network(tmp_path_factory.mktemp("runs") / "ignn", tiny_ignn())


@pytest.fixture(scope="module")
def edsr(tmp_path_factory):
    model = EDSR(scale=2, features=4, num_blocks=1)
    return save_network(tmp_path_factory.mktemp("runs") / "edsr", model)


@pytest.fixture
def data(tmp_path):
    return save_pictures(tmp_path / "set", count=2, side=32)


def evaluate(*args):
    return main(["evaluate", *map(str, args)])


def labels(setup):
    return [method.label for method in setup.methods]


def test_one_network_has_the_name_of_its_class(ignn):
    assert labels(load_setup(ignn)) == ["IGNN"]
    assert labels(load_setup(ignn, ensemble=True)) == ["IGNN+"]
    assert load_setup(ignn).notes == []


def test_several_networks_are_told_apart(ignn, edsr, tmp_path):
    other = save_network(tmp_path / "ignn", tiny_ignn(), seed=1)
    file = tmp_path / "copy.safetensors"
    file.write_bytes((other / FILENAME).read_bytes())
    found = load_setup(["bicubic", ignn, edsr / FILENAME, file])
    assert labels(found) == ["IGNN ignn", "EDSR edsr", "IGNN copy"]
    assert list(found.upscalers) == ["bicubic", *labels(found)]
    found = load_setup([ignn, other])  # two folders of the same name
    assert labels(found) == [f"IGNN {ignn}", f"IGNN {other}"]


def test_one_network_with_several_graphs(ignn, edsr):
    variants = all_variants(neighbors=[1, 2], window=[4, 0])
    found = load_setup([edsr, ignn], variants=variants)
    assert labels(found) == [
        "EDSR edsr",  # has no graph, and is evaluated once
        "IGNN ignn, k=1, d=4",
        "IGNN ignn, k=1, d=whole",
        "IGNN ignn, k=2, d=4",
        "IGNN ignn, k=2, d=whole",
    ]
    assert found.notes[0] == (
        "IGNN ignn, k=1, d=4: trained with neighbors=2, window=4, evaluated with "
        "neighbors=1, window=4, without training again."
    )
    assert len(found.notes) == 3  # the fourth is as it was trained
    assert found.protocol[1:] == found.notes


def test_another_graph_is_that_of_a_network_made_with_it(ignn):
    lr = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    model, variables = tiny_ignn(), random_variables(tiny_ignn())
    graph = dataclasses.replace(model.graph, neighbors=3, window=0)
    expected = upscaler(model.clone(graph=graph), variables, tile=0)(lr)
    setup = load_setup(ignn, variants=[Variant(neighbors=3, window=0)])
    found = setup.upscalers[setup.label](lr)
    np.testing.assert_array_equal(found, expected)
    own = load_setup(ignn)
    assert (own.upscalers[own.label](lr) != found).any()


def test_an_embedding_that_the_weights_fit_and_one_that_they_do_not():
    model = IGNN(scale=2, features=64, num_blocks=2, graph=GraphConfig(position=1))
    variables = random_variables(model)
    changed, kept, trained = change_graph(
        model, variables, Variant(None, None, "backbone")
    )
    assert trained == {"embedding": "vgg19"}
    assert changed.graph.embedding == "backbone"
    assert set(kept) == {"params"}  # both have 64 channels
    assert VGG19 in variables
    with pytest.raises(
        InputError, match="rgb: the network was trained with vgg19"
    ) as e:
        change_graph(model, variables, Variant(embedding="rgb"))
    assert e.value.field == "embedding"
    gaussian = tiny_ignn(edge_weights="gaussian")
    variables = random_variables(gaussian)  # no ECN: any embedding without weights fits
    change_graph(gaussian, variables, Variant(embedding="backbone"))
    with pytest.raises(InputError, match="vgg19: the network was trained with rgb"):
        change_graph(gaussian, variables, Variant(embedding="vgg19"))


def test_files_and_tables_of_several(ignn, edsr, data, tmp_path, capsys):
    out = tmp_path / "out"
    files = [f"--{kind}={tmp_path / kind}" for kind in ("json", "csv", "report")]
    args = ("--weights", ignn, edsr, "--neighbors", 1, 2, "--save-images", out)
    assert evaluate(*args, "--data", data, *files) == 0
    names = ["IGNN ignn, k=1", "IGNN ignn, k=2", "EDSR edsr"]
    output = capsys.readouterr().out
    assert output.startswith("IGNN ignn, k=1: trained with neighbors=2, evaluated with")
    assert all(name in output for name in ["bicubic", *names])
    assert "\nIGNN ignn, k=2 minus IGNN ignn, k=1: " in output

    content = json.loads((tmp_path / "json").read_text())
    assert [method["label"] for method in content["methods"]] == names
    assert content["methods"][0]["evaluated_with"] == {"neighbors": 1}
    assert content["methods"][0]["trained_with"] == {"neighbors": 2}
    assert content["methods"][2]["weights"]["file"] == str(edsr / FILENAME)
    assert "unfinished" not in content
    means = content["sets"][0]["means"]
    assert list(means) == ["bicubic", *names]
    assert any("k=1: trained with" in line for line in content["protocol"])
    assert len({means[name]["psnr"] for name in names}) == 3
    others = content["sets"][0]["minus_first"]
    assert list(others) == names[1:]
    assert others[names[2]]["ahead"] + others[names[2]]["behind"] == 2

    lines = (tmp_path / "csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    assert [row["method"] for row in rows] == ["bicubic", *names] * 3
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.png"))
    assert written[0] == "EDSR_edsr/set/0_x2.png"
    assert len(written) == 6

    page = (tmp_path / "report").read_text()
    for name in names:
        assert f"{name} is " in page
        assert f"Bicubic | {name}" in page
        assert f"{name} | Original" in page
    assert "IGNN ignn, k=1 | IGNN ignn, k=2" in page
    assert ".sr3 { clip-path" in page.replace("\n", " ")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("{edsr}", "--neighbors", 3), "--neighbors: has no meaning for a network"),
        (("bicubic", "--scale", 2, "--window", 3), "--window: has no meaning for bic"),
        (("{ignn}", "{ignn}"), "--weights: .* is given twice"),
        (("{ignn}", "--neighbors", 3, 3), "--neighbors: the same value is given twice"),
        (("{ignn}", "--neighbors", 0), "0 is less than 1"),
        (("{ignn}", "--embedding", "vgg16"), "--embedding: vgg16: give one of vgg19"),
        (("{ignn}", "--embedding", "vgg19"), "--embedding: vgg19: the network was tr"),
        (("{ignn}", "{x3}"), "x3 is a network for x3, not x2"),
    ],
)
def test_mistakes(ignn, edsr, data, tmp_path, capsys, args, message):
    x3 = save_network(tmp_path / "x3", EDSR(scale=3, features=4, num_blocks=1))
    places = {"ignn": ignn, "edsr": edsr, "x3": x3}
    words = [str(arg).format(**places) for arg in args]
    try:
        status = evaluate("--data", data, "--weights", *words)
    except SystemExit as error:  # argparse's
        status = error.code
    assert status == 2
    captured = capsys.readouterr()
    assert re.search(message, captured.err.splitlines()[-1]), captured.err
    assert captured.out == ""
