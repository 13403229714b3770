"""The order of the rooms, and the form of the public functions."""

import ast
import configparser
import functools
import importlib.metadata
import inspect
import itertools
import pathlib
import re
import sys

import pytest

import ignn_jax

REPOSITORY = pathlib.Path(__file__).parents[1]

# A room imports from itself and from the rows above it. docs/architecture.md says what
# each is for.
ORDER = (
    {"errors", "files", "devices", "machine", "tables"},
    {"ops"},
    {"models"},
    {"weights"},
    {"pictures"},
    {"data"},
    {"inference"},
    {"evaluation"},
    {"inspection"},
    {"training"},
    {"app"},
    {"cli", "main", "__main__"},
)
# What the rows above have no need to import: the public API and its old names.
FACADES = {"", "convert", "metrics"}
# Rooms that must not meet although the order would let them.
APART = {("training", "inference"), ("app", "training")}

PROGRAMS = {"cli", "main", "__main__"}
# Flags that others may speak of: {module: the flags}.
KNOWN_FLAGS = {
    "ignn_jax.training.workdir": {"--weights"},  # in a command for users to copy
}

# Public functions whose options cannot all be keyword-only: {name: parameters}.
POSITIONAL_DEFAULTS = {"load_sets": {"validation"}}
MOST_POSITIONAL = 3


def modules(folder: str) -> dict[str, pathlib.Path]:
    """The modules below a folder of the repository, by their dotted names."""
    paths = (REPOSITORY / folder).rglob("*.py")
    return {_name(path.relative_to(REPOSITORY)): path for path in sorted(paths)}


def _name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def parse(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), path)


def imports(name: str, path: pathlib.Path) -> set[str]:
    """What a module imports anywhere, in functions too: modules, or names of them."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(name: str) -> str:
    """The room of `ignn_jax.ROOM.MODULE`; "" for the package itself."""
    return (*name.split("."), "")[1]


OURS = modules("ignn_jax")
ROW = {room: n for n, row in enumerate(ORDER) for room in row}


def own_imports(name):
    """The package's own modules that a module imports."""
    for imported in imports(name, OURS[name]):
        if imported in OURS:
            yield imported
        elif imported.rpartition(".")[0] in OURS:
            yield imported.rpartition(".")[0]


def test_every_module_has_its_room():
    assert {room(name) for name in OURS} == ROW.keys() | FACADES


def test_rooms_import_only_from_rooms_before_them():
    wrong = []
    for name in OURS:
        if room(name) in FACADES:
            continue
        for imported in own_imports(name):
            ours, theirs = room(name), room(imported)
            if imported == "ignn_jax":  # its version alone
                wanted = imports(name, OURS[name])
                allowed = not wanted & {"ignn_jax", *map("ignn_jax.{}".format, PUBLIC)}
            else:
                forward = theirs in ROW and ROW[theirs] <= ROW[ours]
                allowed = forward and (ours, theirs) not in APART
            if not allowed:
                wrong.append(f"{name} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_by_way_of_others():
    later = {name: set(own_imports(name)) - {name} for name in OURS}
    del later["ignn_jax"]  # it names the public functions' modules, and imports lazily
    while free := [name for name, after in later.items() if not after & later.keys()]:
        for name in free:
            del later[name]
    assert not later, "\n".join(later)


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("ignn_jax", {"experiments", "benchmarks", "configs", "tests"}),
        ("experiments", {"benchmarks", "tests"}),
        ("benchmarks", {"experiments", "tests"}),
        ("configs", {"experiments", "benchmarks", "tests"}),
    ],
)
def test_folders_stay_apart(folder, others):
    for name, path in modules(folder).items():
        roots = {imported.partition(".")[0] for imported in imports(name, path)}
        assert not roots & others, name


@pytest.mark.parametrize("folder", ["benchmarks", "experiments", "ignn_jax"])
def test_private_names_stay_in_their_modules(folder):
    wrong = []
    for name, path in modules(folder).items():
        for imported in imports(name, path):
            parts = imported.split(".")
            if any(re.match(r"_(?!_)", part) for part in parts):
                wrong.append(f"{name} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_only_programs_speak_of_flags():
    wrong = []
    for name, path in OURS.items():
        if room(name) in PROGRAMS:
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", node.value))
                found -= KNOWN_FLAGS.get(name, set())
                wrong += [f"{name}, line {node.lineno}: {flag}" for flag in found]
    assert not wrong, "\n".join(wrong)


def test_every_dependency_is_declared():
    names = importlib.metadata.packages_distributions()
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    lists = [setup["options"]["install_requires"]]
    lists += [text for _, text in setup["options.extras_require"].items()]
    lines = itertools.chain.from_iterable(text.split("\n") for text in lists)
    declared = {_distribution(line) for line in lines if line}
    missing = set()
    for name, path in itertools.chain(OURS.items(), modules("experiments").items()):
        for imported in imports(name, path):
            root = imported.partition(".")[0]
            if root in sys.stdlib_module_names or (REPOSITORY / root).is_dir():
                continue
            packages = {_distribution(name) for name in names.get(root, [root])}
            if not packages & declared:
                missing.add(f"{name} imports {root}")
    assert not missing, missing


def _distribution(requirement):
    """The name of "Pillow>=11 # why", in one spelling."""
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


PUBLIC = ignn_jax.__all__


def public_functions():
    found = {name: getattr(ignn_jax, name) for name in PUBLIC}
    return {n: f for n, f in found.items() if inspect.isfunction(inspect.unwrap(f))}


def test_public_names_are_documented():
    for name in PUBLIC:
        value = getattr(ignn_jax, name)
        if callable(value):
            assert inspect.getdoc(value), name


def test_options_are_keyword_only():
    wrong = []
    for name, function in public_functions().items():
        parameters = inspect.signature(function).parameters.values()
        positional = [
            p for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)
        ]
        with_default = {p.name for p in positional if p.default is not p.empty}
        if with_default != POSITIONAL_DEFAULTS.get(name, set()):
            wrong.append(f"{name}: {with_default} can be given by position")
        if len(positional) > MOST_POSITIONAL:
            wrong.append(f"{name}: {len(positional)} arguments by position")
    assert not wrong, "\n".join(wrong)
