"""Training batches: pairs of LR and HR crops, augmented.

Arrays are uint8 in [0, 255], channels last. Batches stay uint8 until they are on the
device, since float32 would take four times as long to transfer.
"""

import functools
import sys
from collections.abc import Iterator, Sequence

import grain
import numpy as np

from ignn_jax.data.pairs import Pair
from ignn_jax.errors import InputError

_Crop = tuple[np.ndarray, np.ndarray]  # LR, HR


def train_batches(
    pairs: Sequence[Pair],
    *,
    lr_patch: int,
    scale: int,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    channel_shuffle: bool = False,
    num_threads: int = 1,
    prefetch: int = 8,
) -> Iterator[dict[str, np.ndarray]]:
    """Makes batches of random crops without end, each crop in one of 8 orientations.

    Every epoch takes one crop of each image, or as many as its weight says, in a new
    order. The size of an image does not matter. Batches continue across epochs, so they
    are always full, even if the batch is larger than the set.

    The batches depend only on `seed` and the step, not on `num_threads` or `prefetch`.
    Several processes take turns at one stream of crops: together, the batches of n
    processes hold the crops that one process has in a batch n times as large.

    Args:
      pairs: the training images.
      lr_patch: side of the LR crops, in LR pixels.
      scale: the HR side over the LR side.
      batch_size: crops in each batch of this process.
      seed: in [0, 2**32).
      start_step: how many batches to skip, for a run that is resumed.
      process_index: which of the processes this is.
      process_count: how many processes share the stream.
      channel_shuffle: also shuffle red, green and blue in each crop; this helps with
        small sets, which have few colors.
      num_threads: threads that make batches in the background; with 0, each batch is
        made when it is asked for.
      prefetch: how many batches to make ahead.

    Returns:
      An iterator over {"lr": uint8 [B, P, P, 3], "hr": uint8 [B, S*P, S*P, 3]}.

    Raises:
      InputError: there are no pairs, one is smaller than the patch, or the seed is out
        of range.
    """
    if not pairs:
        raise InputError("no training images are left", field="data.train")
    smallest = min(min(pair.lr.shape[:2]) for pair in pairs)
    if smallest < lr_patch:
        raise InputError(
            f"{lr_patch} is larger than the smallest training image, {smallest} LR "
            "pixels a side; lower it, or leave out that image",
            field="data.lr_patch",
        )
    if not 0 <= seed < 2**32:
        raise InputError(f"{seed} is not a number from 0 to {2**32 - 1}", field="seed")

    draws = np.repeat(np.arange(len(pairs)), [pair.weight for pair in pairs])

    # grain's own `shuffle` permutes 16-bit numbers until one falls into the set, which
    # takes 5 ms for each crop of a set of 5 images.
    @functools.lru_cache(maxsize=8)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(draws)

    def random_crop(index: int, rng: np.random.Generator) -> _Crop:
        epoch, position = divmod(index, len(draws))
        pair = pairs[order(epoch)[position]]
        height, width, _ = pair.lr.shape
        top = int(rng.integers(height - lr_patch + 1))
        left = int(rng.integers(width - lr_patch + 1))
        orientation = int(rng.integers(8))
        channels = rng.permutation(3) if channel_shuffle else None

        def augment(image: np.ndarray, factor: int) -> np.ndarray:
            crop = _crop(image, top * factor, left * factor, lr_patch * factor)
            if channels is not None:
                crop = np.take(crop, channels, axis=-1)
            return _orient(crop, orientation)

        return augment(pair.lr, 1), augment(pair.hr, scale)

    # The random numbers of a crop follow from its number in the stream. So crops are
    # numbered before the processes take theirs, or all processes would crop alike.
    crops = grain.MapDataset.range(sys.maxsize).random_map(random_crop, seed=seed)
    crops = crops[process_index::process_count]
    # No batch is ever short. But without `drop_remainder`, batches of one crop make the
    # length overflow.
    batches = crops.batch(batch_size, drop_remainder=True, batch_fn=_stack_pairs)
    batches = batches[start_step:]
    options = grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=prefetch)
    return iter(batches.to_iter_dataset(options))


def _crop(image: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    return image[top : top + side, left : left + side]


def _orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """One of the 8 flips and 90-degree rotations of a square, as a view."""
    if orientation & 1:
        image = image[::-1]
    if orientation & 2:
        image = image[:, ::-1]
    if orientation & 4:
        image = image.swapaxes(0, 1)
    return image


def _stack_pairs(crops: Sequence[_Crop]) -> dict[str, np.ndarray]:
    lr, hr = zip(*crops, strict=True)
    return {"lr": _stack(lr), "hr": _stack(hr)}


def _stack(images: Sequence[np.ndarray]) -> np.ndarray:
    # A transposed or mirrored view is copied in half the time by whole pixels.
    pixels = np.stack([image.view("V3") for image in images])  # [B, P, P, 1]
    return pixels.view(np.uint8)  # [B, P, P, 3]
