"""Datasets prepared by TFDS itself, in processes of their own: without TensorFlow."""

import importlib.util

import numpy as np
import pytest

from ignn_jax.ops.bicubic import imresize
from tests.networks import run

# Like TFDS' own builder of DIV2K, which however lists its files through TensorFlow.
BUILDERS = """
import pathlib
import sys
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

class Base(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="bicubic_x2", version=tfds.core.Version("2.0.0"))
    ]
    FEATURES = ("lr", "hr")

    def _info(self):
        image = tfds.features.Image()
        features = tfds.features.FeaturesDict({name: image for name in self.FEATURES})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        ranges = {"train": (0, 5), "validation": (5, 7)}
        return {name: self._generate_examples(*n) for name, n in ranges.items()}

    def _generate_examples(self, first, last):
        folder = pathlib.Path(sys.argv[1])
        for n in range(first, last):
            rng, files = np.random.default_rng(n), {}
            for name in self.FEATURES:
                size = (20, 24, 3) if name == "lr" else (40, 48, 3)
                files[name] = str(folder / f"{n}{name}.png")
                Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(files[name])
            yield n, files

class Div2k(Base):
    pass

class Tiny(Base):
    pass

class Single(Base):
    BUILDER_CONFIGS = []
    VERSION = tfds.core.Version("1.0.0")
    FEATURES = ("image",)

class Other(Single):
    FEATURES = ("left", "right")

"""
# They have the name and version of TFDS' own builder, which then reads the files.
PREPARE = """
for builder in (Div2k(config="bicubic_x2"), Other()):
    builder.download_and_prepare(file_format="array_record")
"""
READ = """
import sys
sys.stderr = sys.stdout
import numpy as np
from ignn_jax.data.sets import load_set
from ignn_jax.errors import InputError

for spec in sys.argv[2:]:
    print("Spec", spec)
    try:
        for pair in load_set(spec, scale=2):
            print(pair.name, pair.origin, pair.lr.sum(), pair.hr.sum())
    except InputError as error:
        print("InputError:", error)
assert "tensorflow" not in sys.modules
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A function that runs a program, reads specs and returns the lines of each."""
    folder = tmp_path_factory.mktemp("datasets")
    done = run("-c", BUILDERS + PREPARE, folder, TFDS_DATA_DIR=str(folder / "tfds"))
    assert done.returncode == 0, done.stderr

    def read(*specs, program="", **environment):
        environment = {"TFDS_DATA_DIR": str(folder / "tfds"), **environment}
        done = run("-c", program + READ, folder, *specs, **environment)
        assert done.returncode == 0, done.stderr
        _, *parts = done.stdout.split("Spec ")
        return [part.splitlines()[1:] for part in parts]

    return read


def _expected(first, last, order=("lr", "hr")):
    """The pixel sums of the images that the builders make."""
    sums = set()
    for n in range(first, last):
        rng = np.random.default_rng(n)
        sizes = {"lr": (20, 24, 3), "hr": (40, 48, 3)}
        images = {name: rng.integers(0, 256, sizes[name], np.uint8) for name in order}
        if "lr" not in images:
            images["lr"] = imresize(images["hr"], scale=0.5)
        sums.add(f"{images['lr'].sum()} {images['hr'].sum()}")
    return sums


def _sums(lines, origin):
    return {line.split(f" {origin} ")[1] for line in lines if f" {origin} " in line}


def test_div2k_is_read_as_it_was_prepared(read):
    ranges = {
        "bicubic_x2": (0, 5),
        "bicubic_x2:validation": (5, 7),
        "bicubic_x2:2.0.0": (0, 5),
        "bicubic_x2:2.0.0:train+validation": (0, 7),
    }
    outputs = read(*(f"tfds:div2k/{name}" for name in ranges))
    for lines, (first, last) in zip(outputs, ranges.values(), strict=True):
        assert _sums(lines, "given") == _expected(first, last)
        names = [line.split()[0] for line in lines if "given" in line]
        assert names == [f"{n:05d}" for n in range(last - first)]


def test_a_dataset_is_prepared_on_first_use(read):
    tiny, single = read("tfds:tiny/bicubic_x2", "tfds:single", program=BUILDERS)
    assert tiny[0].startswith("tfds:tiny/bicubic_x2 is downloaded and prepared in")
    assert _sums(tiny, "given") == _expected(0, 5)
    assert _sums(single, "made") == _expected(0, 5, ["hr"])
    # In a process that does not define its builder.
    (again,) = read("tfds:tiny/bicubic_x2")
    assert _sums(again, "given") == _expected(0, 5)
    assert not any("prepared" in line for line in again)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed"
)
def test_div2k_that_is_not_prepared_names_the_command(read, tmp_path):
    ((line,),) = read("tfds:div2k/bicubic_x2", TFDS_DATA_DIR=str(tmp_path))
    assert line.startswith("InputError: tfds:div2k/bicubic_x2 is not yet prepared in")
    assert "pip install 'ignn-jax[div2k]'" in line
    assert "folder:PATH/TO/DIV2K_train_HR" in line


def test_mistakes_are_named(read):
    outputs = read(
        "tfds:div2k/bicubic_x3",
        "tfds:nosuchdataset",
        "tfds:div2k/nosuchconfig",
        "tfds:div2k/bicubic_x2:test",
        "tfds:other",
    )
    messages = [line for (line,) in outputs]
    assert all(message.startswith("InputError: tfds:") for message in messages)
    assert "LR images for x3; for x2 give tfds:div2k/bicubic_x2" in messages[0]
    assert "Dataset nosuchdataset not found" in messages[1]
    assert "nosuchconfig not found" in messages[2]
    assert "Unknown split 'test'. Should be one of ['train', 'valid" in messages[3]
    assert "its features are left, right; hr," in messages[4]


def test_a_copy_in_another_file_format_is_refused(read, tmp_path):
    program = """
import json, os, pathlib, shutil
copy = pathlib.Path(os.environ["COPY"])
shutil.copytree(os.environ["TFDS_DATA_DIR"], copy)
os.environ["TFDS_DATA_DIR"] = str(copy)
for path in copy.rglob("dataset_info.json"):
    path.write_text(path.read_text().replace('"array_record"', '"tfrecord"'))
for path in copy.rglob("*.array_record-*"):
    path.rename(str(path).replace("array_record", "tfrecord"))
"""
    copy = str(tmp_path / "copy")
    ((line,),) = read("tfds:div2k/bicubic_x2", program=program, COPY=copy)
    assert (
        f"{copy}/div2k/bicubic_x2/2.0.0 is not in the file format array_record" in line
    )
