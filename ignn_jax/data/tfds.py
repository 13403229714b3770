"""Datasets of tensorflow-datasets, read without TensorFlow, as encoded images.

Their HR images are the feature `hr`, beside `lr`, as DIV2K has them, or `image`.
"""

import functools
import importlib.util
import re
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from ignn_jax.errors import InputError

# They are prepared through `tf.io.gfile`, which fails only after the download.
_NEED_TENSORFLOW = ("div2k",)


def open_dataset(
    argument: str, *, scale: int
) -> list[tuple[str, Callable[[], tuple[bytes, bytes | None]]]]:
    """Opens a split of a dataset; prepares it first where that was not yet done.

    Args:
      argument: NAME/CONFIG[:VERSION][:SPLIT], such as `div2k/bicubic_x2:validation`;
        the split is `train` unless given.
      scale: of which its LR images must be, if its name tells.

    Returns:
      A name for each example, and what reads its HR file and its LR file, or None.

    Raises:
      InputError: there is no such dataset or split, it is for another scale, it has no
        images, it cannot be prepared, or it was prepared in another file format.
    """
    logging.set_verbosity(logging.ERROR)  # it warns of what `_prepare` says
    name, split = re.fullmatch(r"([^:]*(?::\d[\d.*]*)?):?(.*)", argument).groups()
    try:
        # The folder is TFDS_DATA_DIR, or ~/tensorflow_datasets.
        builder = tfds.builder(name)
    # No such name, config or version. The first line says it, the others list all there
    # are.
    except (AssertionError, ValueError) as error:
        raise InputError(f"tfds:{name}: {str(error).splitlines()[0]}") from error
    _check_scale(name, builder, scale)
    if not builder.is_prepared():
        _prepare(name, builder)
    hr, lr = _features(name, builder)
    try:
        examples = builder.as_data_source(
            split or "train",
            decoders={key: tfds.decode.SkipDecoding() for key in (hr, lr) if key},
        )
    except NotImplementedError as error:  # a copy made for tf.data
        raise InputError(
            f"tfds:{name}: {builder.data_dir} holds it in a file format other than "
            "array_record; set TFDS_DATA_DIR to another folder, to prepare it there"
        ) from error
    except ValueError as error:
        raise InputError(f"tfds:{argument}: {error}") from error
    return [
        (f"{n:05d}", functools.partial(_read, examples, n, hr, lr))
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
    without = importlib.util.find_spec("tensorflow") is None
    try:
        if without and builder.name in _NEED_TENSORFLOW:
            raise ImportError("No module named 'tensorflow'")
        print(
            f"tfds:{name} is downloaded and prepared in {builder.data_dir}, this once; "
            "set TFDS_DATA_DIR for another folder",
            flush=True,
        )
        builder.download_and_prepare(file_format="array_record")
    except ImportError as error:
        raise InputError(
            f"tfds:{name} is not yet prepared in {builder.data_dir}, and that takes "
            f"TensorFlow ({error}): pip install 'ignn-jax[div2k]'; or download the "
            "images yourself and give folder:PATH/TO/DIV2K_train_HR"
        ) from error
    # A server that does not answer, a full disk, a checksum, a broken archive.
    except Exception as error:
        raise InputError(
            f"tfds:{name} could not be prepared in {builder.data_dir}: {error}"
        ) from error


def _features(name: str, builder: tfds.core.DatasetBuilder) -> tuple[str, str | None]:
    """The names of the features with the HR and the LR image."""
    features = builder.info.features or {}
    if "hr" in features:
        return "hr", "lr" if "lr" in features else None
    if "image" in features:
        return "image", None
    raise InputError(
        f"tfds:{name}: its features are {', '.join(sorted(features))}; "
        "hr, with lr beside it or without, or image is needed"
    )


def _read(
    examples: Sequence[dict[str, Any]], n: int, hr: str, lr: str | None
) -> tuple[bytes, bytes | None]:
    example = examples[n]
    return example[hr], example[lr] if lr else None
