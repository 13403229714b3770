"""README.md and docs/ say what the code does."""

import argparse
import ast
import configparser
import importlib
import itertools
import pathlib
import re
import shlex
from typing import NamedTuple

import jax
import pytest
from absl import flags

import ignn_jax
from configs import base
from ignn_jax.cli.config_file import define_config

REPOSITORY = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
    ]
)


def text(page: pathlib.Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(page: pathlib.Path, language: str) -> list[str]:
    """The fenced blocks of a language, their indentation removed."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```$", text(page), re.MULTILINE | re.DOTALL
    )
    return [re.sub(rf"^{indent}", "", body, flags=re.M) for indent, body in found]


def inline_code(page: pathlib.Path) -> list[str]:
    """What stands between single backticks, on one line."""
    prose = re.sub(r"^ *```.*?^ *```$", "", text(page), flags=re.M | re.S)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


class Command(NamedTuple):
    """A command line in a page.

    Attributes:
      page: where it is.
      words: `python -m MODULE ...`, or `ignn-jax COMMAND ...`.
      whole: whether it can be run as it stands; a mention in a sentence may leave out
        what is required.
    """

    page: str
    words: list[str]
    whole: bool

    def __str__(self):
        return f"{self.page}: {' '.join(self.words)[:60]}"


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        lines = "\n".join(code_blocks(page, "sh")).replace("\\\n", " ").splitlines()
        candidates = [(line, True) for line in lines]
        candidates += [(code, False) for code in inline_code(page)]
        for line, whole in candidates:
            for part in re.split(r" (?:&&|\|) ", line):
                if re.match(r"(\.venv/bin/)?(ignn-jax \S|python -m )", part):
                    words = shlex.split(part.removeprefix(".venv/bin/"), comments=True)
                    found.append(Command(page.name, words, whole))
    return found


COMMANDS = commands()
CLI = (
    *("upscale", "evaluate", "weights", "convert", "export", "plot", "explain"),
    *("app", "data inspect"),
)
PROGRAMS = (
    *("experiments.pretrained", "experiments.table1"),
    *("benchmarks.inference", "benchmarks.growth", "benchmarks.accelerators"),
)


class _ParsedError(Exception):
    """The command line is right."""


def parse(program, words, monkeypatch) -> None:
    """Calls a program's `main(argv)` up to where its arguments are parsed."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse_only(self, args=None, namespace=None):
        parse_args(self, args, namespace)
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    with pytest.raises(_ParsedError):
        program(words)


def parse_training(words) -> None:
    """Parses `ignn_jax.main`'s flags, the config and its overrides."""
    importlib.import_module("ignn_jax.main")
    values, argv = flags.FlagValues(), ["main", *words]
    define_config(flag_values=values, sys_argv=argv)
    for flag in flags.FLAGS.flags_by_module_dict()["ignn_jax.main"]:
        if flag.name not in values and not flag.name.startswith("config"):
            values[flag.name] = flag
    rest = values(argv)
    assert rest == ["main"]
    if "--config" in " ".join(words):
        assert values["config"].value.keys()


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def test_there_are_commands():
    programs = {command.words[0] for command in COMMANDS}
    assert programs == {"ignn-jax", "python"}
    assert sum(command.whole for command in COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_parse(command, monkeypatch, capsys):
    program, *words = command.words
    if program == "ignn-jax":
        from ignn_jax.cli import main

        if not command.whole and len(words) == 1:  # the name of a command
            with pytest.raises(SystemExit) as stop:
                main([words[0], "--help"])
            assert stop.value.code == 0
        else:
            parse(main, words, monkeypatch)
        return
    _, module, *words = words
    if module == "ignn_jax.main":
        parse_training(words)
    elif module.partition(".")[0] in ("benchmarks", "experiments"):
        if command.whole or words:
            parse(importlib.import_module(module).main, words, monkeypatch)
        else:
            importlib.import_module(module)
    else:
        assert module in ("pytest", "venv"), module


@pytest.mark.parametrize(
    "path", sorted(REPOSITORY.glob("configs/[!b]*.py")), ids=lambda path: path.name
)
def test_commands_of_configs_parse(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    docstring = docstring.replace("\\\n", " ")
    (arguments,) = re.findall(r"^ *python -m ignn_jax\.main (.*)$", docstring, re.M)
    words = shlex.split(arguments)
    assert f"--config=configs/{path.name}" in words
    parse_training(words)


def test_options_on_all_pages_exist(capsys):
    from ignn_jax.cli import main

    def help_of(program, *words):
        with pytest.raises(SystemExit):
            program([*words, "--help"])
        return capsys.readouterr().out

    texts = [help_of(main, *command.split()) for command in CLI]
    texts += [help_of(importlib.import_module(module).main) for module in PROGRAMS]
    known = set(re.findall(r"--[a-z][\w-]*", " ".join(texts)))
    importlib.import_module("ignn_jax.main")
    known |= {
        f"--{f.name}" for f in flags.FLAGS.flags_by_module_dict()["ignn_jax.main"]
    }
    for page in PAGES:
        for code in inline_code(page):
            if code.startswith("--"):
                named = set(re.findall(r"(?<!\S)--[a-z][\w-]*", code))
                assert named <= known, f"{page.name}: {named - known}"


def config_table() -> dict[str, str]:
    rows = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \|", text(REPOSITORY / "docs/config.md"), re.M
    )
    assert len(rows) == len(dict(rows))
    return {key: default.strip("` ") for key, default in rows}


def config_defaults() -> dict[str, object]:
    def flatten(tree, prefix=""):
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flatten(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    return dict(flatten(base.get_config().to_dict()))


def test_config_keys_have_the_defaults_of_the_page():
    documented, defaults = config_table(), config_defaults()
    assert documented.keys() == defaults.keys()
    for key, value in defaults.items():
        words = documented[key]
        if isinstance(value, bool):
            assert words == str(value), key
        else:
            assert type(value)("" if words == "none" else words) == value, key


def test_keys_on_all_pages_exist():
    defaults = config_defaults()
    groups = "|".join(sorted({key.partition(".")[0] for key in defaults if "." in key}))
    pattern = re.compile(rf"(?:--config\.|\b)((?:{groups})\.[a-z_.0-9]+)(?:=\S+)?")
    for page in PAGES:
        for code in inline_code(page):
            match = pattern.fullmatch(code)
            assert not match or match[1] in defaults, f"{page.name}: {code}"


def test_extras_exist():
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    for page in PAGES:
        for extras in re.findall(r"'\.\[([\w,]+)\]'", text(page)):
            assert set(extras.split(",")) <= set(setup["options.extras_require"])


def test_the_tree_is_the_packages():
    tree = code_blocks(REPOSITORY / "docs/architecture.md", "text")[0]
    named, room = set(), ""
    for line in tree.partition("\nconfigs/")[0].splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 2:
            room = line.split()[0] if line.split()[0].endswith("/") else ""
        names = re.match(r"[\w.]+\.py(?:, [\w.]+\.py)*", line.strip())
        if names:
            named |= {room + name for name in names[0].split(", ")}
    package = REPOSITORY / "ignn_jax"
    files = {str(path.relative_to(package)) for path in package.rglob("*.py")}
    commands = {f"cli/{name.split()[0]}.py" for name in CLI}
    files -= {name for name in files if "/__init__" in name} | commands
    assert named == files - {"__main__.py"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^ *```.*?^ *```$", "", text(page), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", text(target), re.M)
            slugs = {
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
                for heading in headings
            }
            assert anchor in slugs, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    prefixes = "ignn_jax|configs|experiments|benchmarks|tests|docs"
    for code in inline_code(page):
        is_path = re.fullmatch(rf"(?:{prefixes})/[\w/.-]*", code)
        is_example = re.search(r"ROOM|light-x2", code)
        assert not is_path or is_example or (REPOSITORY / code).exists(), code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_public_names_exist(page):
    for block in code_blocks(page, "python"):
        compile(block, page.name, "exec")
    names = re.findall(r"\bignn\.(?!py\b)([A-Za-z_]\w*)", text(page))
    assert set(names) <= {*ignn_jax.__all__, "__all__"}


def test_the_experiment_runs_as_it_stands(monkeypatch, capsys):
    script = code_blocks(REPOSITORY / "docs/experiments.md", "python")[0]
    islice, lengths = itertools.islice, []

    def a_few(iterable, *args):
        if args == (200,):
            lengths.append(args)
            args = (2,)
        return islice(iterable, *args)

    monkeypatch.setattr(itertools, "islice", a_few)
    with (
        jax.numpy_dtype_promotion("standard"),  # as users have it; Optax relies on it
        jax.numpy_rank_promotion("allow"),
    ):
        exec(compile(script, "docs/experiments.md", "exec"), {})
    one, five = map(float, capsys.readouterr().out.split())
    assert lengths == [(200,), (200,)]
    assert one != five
    assert all(5 < score < 60 for score in (one, five))
