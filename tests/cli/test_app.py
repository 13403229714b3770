"""What `ignn-jax app` refuses before it serves anything."""

import importlib.util

import pytest

from ignn_jax.cli import main
from tests.networks import run


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "example.org"])
def test_other_machines_need_a_password(host, capsys):
    assert main(["app", "--host", host]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        f"ignn-jax: --host: {host} lets others in; set a user and a password "
        "(--auth USER:PASSWORD)"
    )


@pytest.mark.parametrize(
    "words", [["--auth", "user"], ["--auth", ":x"], ["--port", "0"]]
)
def test_bad_options(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["app", *words])
    assert stop.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    find_spec = importlib.util.find_spec

    def without_gradio(name, package=None):
        return None if name == "gradio" else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_gradio)
    assert main(["app"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == "ignn-jax: the page needs Gradio: pip install 'ignn-jax[app]'"


def test_nothing_else_needs_gradio():
    done = run(
        "-c",
        "import sys; sys.modules['gradio'] = None\n"
        "import ignn_jax.app.sessions, ignn_jax.app.upscaling, ignn_jax.app.views\n"
        "import ignn_jax.app.clicks, ignn_jax.app.comparing\n"
        "from ignn_jax.cli import main\n"
        "main(['weights'])",
    )
    assert done.returncode == 0, done.stderr
    assert "tiny-x2" in done.stdout


@pytest.mark.parametrize("name", ["missing.safetensors", "tiny-x9"])
def test_missing_weights_are_named(name, capsys):
    assert main(["app", "--weights", name]) == 2
    assert f"ignn-jax: {name}: no such weights file" in capsys.readouterr().err
