"""From decoded images to training batches: paired LR and HR crops, augmented.

All arrays are uint8 in [0, 255], channels last; HR is `scale` times LR in either
direction. Batches stay uint8 until they are on the device: a quarter of the transfer.
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
    """Streams batches of random crops, each in one of 8 orientations, without end.

    Every epoch visits each image as often as its weight says, in a new order, with a
    new crop each time: its size does not matter. Batches run across the ends of epochs,
    so that they are full even where the batch is larger than the set.

    The batches depend on `seed` and on the step alone, not on `num_threads` or
    `prefetch`. The processes share one stream, dealt out in turn: the batches of n
    processes together hold the crops of one process with an n times larger batch.

    Args:
      pairs: the training images.
      lr_patch: side of the LR crop.
      scale: the HR side over the LR side.
      batch_size: crops per batch of this process.
      seed: in [0, 2**32).
      start_step: the step to begin at, as if the batches before it had been drawn.
      process_index: which of the processes this is.
      process_count: how many processes share the stream.
      channel_shuffle: give each crop's red, green and blue in a random order too, for
        sets of few images, and so of few colors.
      num_threads: threads that make batches in the background; 0 makes each batch
        when it is asked for.
      prefetch: how many batches to make in advance.

    Returns:
      An iterator over {"lr": uint8 [B, P, P, 3], "hr": uint8 [B, P * S, P * S, 3]}.

    Raises:
      InputError: there is no pair, one is smaller than the patch, or the seed is out
        of range.
    """
    if not pairs:
        raise InputError("no training image is left; check data.train")
    smallest = min(min(pair.lr.shape[:2]) for pair in pairs)
    if smallest < lr_patch:
        raise InputError(
            f"data.lr_patch={lr_patch} is larger than the smallest training image, "
            f"{smallest} pixels at low resolution; lower it or drop the image"
        )
    if not 0 <= seed < 2**32:
        raise InputError(f"seed={seed}: give a number from 0 to {2**32 - 1}")

    draws = np.repeat(np.arange(len(pairs)), [pair.weight for pair in pairs])

    # Not grain's `shuffle`: that takes 5 ms for each element of a set of 5, for it
    # permutes 16-bit numbers until one falls into the set.
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

    # The crops are numbered before the stream is dealt out: their random numbers come
    # from their number, and two processes that each count their own would crop alike.
    crops = grain.MapDataset.range(sys.maxsize).random_map(random_crop, seed=seed)
    crops = crops[process_index::process_count]
    # No batch is short; without `drop_remainder`, batches of one overflow the length.
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
