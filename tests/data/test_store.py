"""The files of the cache: what several processes and interruptions may do to them."""

import hashlib
import os
import pathlib

import numpy as np
import pytest

from ignn_jax.data.store import ArrayStore
from ignn_jax.errors import InputError


def key(n):
    return hashlib.sha256(bytes([n])).digest()


def array(n):
    return np.random.default_rng(n).integers(0, 256, (n + 1, 2 * n + 1, 3), np.uint8)


def holds(store, numbers):
    for n in numbers:
        np.testing.assert_array_equal(store.get(key(n)), array(n))
    return all(key(n) in store for n in numbers)


def test_what_is_put_is_found_at_once_and_by_other_stores_after_a_flush(tmp_path):
    first, second = ArrayStore(tmp_path), ArrayStore(tmp_path)
    for n in range(5):
        first.put(key(n), array(n))
    assert holds(first, range(5))
    first.flush()
    second.put(key(5), array(5)[:, ::-1][:, ::-1])  # not contiguous on the way
    second.flush()
    assert holds(second, range(6))
    assert holds(ArrayStore(tmp_path), range(6))
    assert key(6) not in second
    assert len(list(tmp_path.iterdir())) == 4
    assert not second.get(key(0)).flags.writeable


def test_a_record_cut_short_spoils_no_other(tmp_path):
    store = ArrayStore(tmp_path)
    store.put(key(1), array(1))
    store.flush()
    (index,) = tmp_path.glob("*.index")
    with index.open("ab") as file:
        file.write(bytes(20))
    assert holds(ArrayStore(tmp_path), [1])
    store.put(key(2), array(2))
    store.flush()
    assert holds(ArrayStore(tmp_path), [1, 2])


def test_records_of_zeros_are_no_keys(tmp_path):
    """As a file system may leave them after a power failure."""
    (tmp_path / "a.pixels").write_bytes(bytes(100))
    (tmp_path / "a.index").write_bytes(bytes(10 * 48))
    store = ArrayStore(tmp_path)
    assert key(1) not in store
    store.put(key(1), array(1))
    assert holds(store, [1])


def test_a_cache_removed_while_it_is_filled_is_named(tmp_path):
    store = ArrayStore(tmp_path)
    store.put(key(1), array(1))
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"^data\.cache: .*its files were removed"):
        store.put(key(2), array(2))


def test_as_many_arrays_as_div2k_has_sub_images(tmp_path):
    """Two for each of 33,000: in two files, by one mapping, which holds one of them."""
    store, count = ArrayStore(tmp_path), 66_000
    keys = [hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(count)]
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    for n, name in enumerate(keys):
        store.put(name, small + n % 200)
    store.flush()
    files = len(os.listdir("/dev/fd"))
    again = ArrayStore(tmp_path)
    arrays = [again.get(name) for name in keys]
    assert all(array[1, 1, 2] == 11 + n % 200 for n, array in enumerate(arrays))
    assert len(os.listdir("/dev/fd")) <= files + 1
    assert pathlib.Path("/proc/self/maps").read_text().count(str(tmp_path)) == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".index", ".pixels"]
