"""Config files of users: what is wrong is one line that says where."""

import json
import sys

import pytest

from configs import demo
from ignn_jax.cli.config_file import load_config
from ignn_jax.errors import InputError
from ignn_jax.training.config import complete
from tests.networks import REPOSITORY

BASE = """\
from ignn_jax.training.defaults import get_config as base
def get_config():
    config = base()
"""


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    """Loading a config lengthens it."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def refusal(path):
    with pytest.raises(InputError) as error:
        load_config(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def write(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_own_config(tmp_path):
    text = f"{BASE}    config.train.steps = 5\n    return config\n"
    config = load_config(write(tmp_path, text))
    assert config.to_dict() == complete({"train": {"steps": 5}}).to_dict()
    text = "def get_config(steps):\n    return {'train': {'steps': int(steps)}}\n"
    assert load_config(f"{write(tmp_path, text)}:7").train.steps == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            f"{BASE}    config.train.stpes = 3\n    return config\n",
            ": train.stpes: there is no such key; did you mean train.steps?",
        ),
        (
            f"{BASE}    config.trian.steps = 3\n    return config\n",
            ", line 4: AttributeError: 'trian' Did you mean \"train\" instead of "
            '"trian"?',
        ),
        (
            f"{BASE}    config.data.lr_patch = 0\n    return config\n",
            ": data.lr_patch: must be at least 1 and at most 65536, not 0",
        ),
        (
            BASE,
            ": get_config() gives NoneType, and not a config; does it end with "
            "`return config`?",
        ),
        (f"{BASE}  return config\n", ", line 4: unindent does not match any outer "),
        ("x = 3\n", ": has no function get_config"),
        ("import nothing\n", ", line 1: ModuleNotFoundError: No module named 'no"),
        (
            "from configs.nothing import get_config\n",
            ", line 1: ModuleNotFoundError: No module named 'configs.nothing'; begin "
            "from `ignn_jax.training.defaults.get_config()` instead",
        ),
        ("def get_config():\n    return 1 / 0\n", ", line 2: ZeroDivisionError: div"),
        ("import sys\nsys.exit(3)\n", ", line 2: SystemExit: 3"),
        ("def get_config(name):\n    pass\n", ": TypeError: get_config() missing 1 "),
    ],
)
def test_a_mistake_in_it(tmp_path, text, reason):
    path = write(tmp_path, text)
    assert refusal(path).startswith(f"{path}{reason}")


def test_a_mistake_in_a_file_that_it_imports(tmp_path):
    helper = write(tmp_path, "def f():\n    return {}['key']\n", "a_helper.py")
    text = "import a_helper\ndef get_config():\n    return a_helper.f()\n"
    line = refusal(write(tmp_path, text))
    assert line == f"{helper}, line 2: KeyError: key"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", "{", "not a config in JSON: Expecting property name"),
        ("config.json", "[]", "gives list, and not a config"),
        ("config.json", '{"modle": {"name": "edsr"}}', "did you mean model.name?"),
        ("config.yaml", "a: 3", "give a file of Python (.py), or of JSON (.json)"),
    ],
)
def test_other_files(tmp_path, name, content, reason):
    assert reason in refusal(write(tmp_path, content, name))


def test_missing_files(tmp_path):
    folder = f"{tmp_path}: is a folder; give a config file, such as "
    assert refusal(tmp_path) == folder + "configs/x2.py"
    (tmp_path / "config.json").touch()
    assert refusal(tmp_path) == folder + str(tmp_path / "config.json")
    assert refusal(tmp_path / "a.py:b") == f"{tmp_path / 'a.py'}: no such config file"
    assert refusal("").startswith("is empty")


def test_a_runs_config_is_the_same_again(tmp_path):
    config = complete(demo.get_config())
    path = write(tmp_path, json.dumps(config.to_dict()), "config.json")
    assert load_config(path).to_dict() == config.to_dict()


def test_configs_of_the_clone_work_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = [place for place in sys.path if place not in ("", str(REPOSITORY))]
    monkeypatch.setattr(sys, "path", places)
    for name in [name for name in sys.modules if name.partition(".")[0] == "configs"]:
        monkeypatch.delitem(sys.modules, name)
    config = load_config(REPOSITORY / "configs" / "light_x4.py")
    assert (config.scale, config.model.features) == (4, 64)
