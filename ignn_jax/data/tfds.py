"""Datasets of tensorflow-datasets, read without TensorFlow, as encoded images.

The HR image is the feature `hr`, with `lr` beside it, as in DIV2K, or `image`.
"""

import importlib.util
import io
import re
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

import tensorflow_datasets as tfds
from absl import logging

from ignn_jax.errors import InputError

# Preparing these uses `tf.io.gfile`, which would fail only after the download.
_NEED_TENSORFLOW = ("div2k",)


class Feature(NamedTuple):
    """An encoded image in a dataset.

    Attributes:
      split: the examples of the split.
      identity: a text that names the dataset, its version, this copy and the split.
      number: which example.
      name: which feature.
    """

    split: Sequence[dict[str, Any]]
    identity: str
    number: int
    name: str

    def key(self) -> str:
        return f"{self.identity} {self.number} {self.name}"

    def open(self) -> BinaryIO:
        return io.BytesIO(self.split[self.number][self.name])


def open_dataset(argument: str, *, scale: int) -> list[tuple[Feature, Feature | None]]:
    """Opens a split of a dataset, and prepares the dataset on its first use.

    Args:
      argument: NAME/CONFIG[:VERSION][:SPLIT], such as `div2k/bicubic_x2:validation`;
        the default split is `train`.
      scale: the scale that its LR images must have, if its name tells their scale.

    Returns:
      The HR image of every example, and its LR image or None.

    Raises:
      InputError: there is no such dataset or split, it is for another scale, it has no
        images, it cannot be prepared, or it was prepared in another file format.
    """
    logging.set_verbosity(logging.ERROR)  # `_prepare` prints what it warns of
    match = re.fullmatch(r"([^:]*(?::\d[\d.*]*)?):?(.*)", argument)
    assert match  # as any text does
    name, split = match[1], match[2] or "train"
    try:
        # The folder is TFDS_DATA_DIR, or ~/tensorflow_datasets.
        builder = tfds.builder(name)
    except (AssertionError, ValueError) as error:
        # No such name, config or version. The other lines list all that there are.
        raise InputError(f"tfds:{name}: {str(error).splitlines()[0]}") from error
    _check_scale(name, builder, scale)
    if not builder.is_prepared():
        _prepare(name, builder)
    features = _features(name, builder)
    try:
        examples = builder.as_data_source(
            split,
            decoders={feature: tfds.decode.SkipDecoding() for feature in features},
        )
    except NotImplementedError as error:  # a copy made for tf.data
        raise InputError(
            f"tfds:{name}: the copy in {builder.data_dir} is not in the file format "
            "array_record; set TFDS_DATA_DIR to another folder to prepare it there"
        ) from error
    except ValueError as error:
        raise InputError(f"tfds:{argument}: {error}") from error
    # The path names the dataset, the config and the version.
    prepared = (builder.data_path / "dataset_info.json").stat().mtime
    identity = f"tfds:{builder.data_dir} {prepared} {split}"
    return [
        (
            Feature(examples, identity, n, features[0]),
            Feature(examples, identity, n, features[1]) if features[1:] else None,
        )
        for n in range(len(examples))
    ]


def _check_scale(name: str, builder: tfds.core.DatasetBuilder, scale: int) -> None:
    config = builder.builder_config.name if builder.builder_config else ""
    match = re.fullmatch(r"(.*_x)(\d)", config)
    if match and int(match[2]) != scale:
        raise InputError(
            f"tfds:{name} has LR images for x{match[2]}; for x{scale} give "
            f"tfds:{builder.name}/{match[1]}{scale}"
        )


def _prepare(name: str, builder: tfds.core.DatasetBuilder) -> None:
    without_tensorflow = importlib.util.find_spec("tensorflow") is None
    try:
        if without_tensorflow and builder.name in _NEED_TENSORFLOW:
            raise ImportError("No module named 'tensorflow'")
        print(
            f"tfds:{name} is downloaded and prepared in {builder.data_dir}, once; "
            "set TFDS_DATA_DIR for another folder",
            file=sys.stderr,
        )
        builder.download_and_prepare(file_format="array_record")
    except ImportError as error:
        raise InputError(
            f"tfds:{name} is not yet prepared in {builder.data_dir}, which takes "
            f"TensorFlow ({error}): pip install 'ignn-jax[div2k]'; or download the "
            "images yourself and give folder:PATH/TO/DIV2K_train_HR"
        ) from error
    # No answer from the server, a full disk, a wrong checksum, a broken archive.
    except Exception as error:
        raise InputError(
            f"tfds:{name} could not be prepared in {builder.data_dir}: {error}"
        ) from error


def _features(name: str, builder: tfds.core.DatasetBuilder) -> tuple[str, ...]:
    """The names of the features: HR, and LR if there is one."""
    features = builder.info.features or {}
    if "hr" in features:
        return ("hr", "lr") if "lr" in features else ("hr",)
    if "image" in features:
        return ("image",)
    raise InputError(
        f"tfds:{name}: its features are {', '.join(sorted(features))}; "
        "hr, with or without lr, or image is needed"
    )
