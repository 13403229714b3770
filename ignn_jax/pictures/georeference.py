"""GeoTIFF: where on the ground the pixels of a picture are.

OGC 19-008r4, "OGC GeoTIFF Standard", 2019; and GDAL's tag for the rational polynomials
of satellites.
"""

from ignn_jax.pictures.exif import Block

_SCALE, _TIEPOINTS, _TRANSFORMATION, _KEYS, _RPC = 33550, 33922, 34264, 34735, 50844
TAGS = (_SCALE, _TIEPOINTS, _TRANSFORMATION, _KEYS, 34736, 34737, _RPC)

_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2


def scale(block: Block, factors: tuple[float, float]) -> None:
    """Makes a picture whose height and width have grown cover the same ground."""
    fy, fx = factors
    # Coordinates count from the corner of the first pixel, or from its center.
    shift = 0.5 if _is_point(block) else 0.0
    if sizes := block.get(_SCALE):
        block.set(_SCALE, sizes[0] / fx, sizes[1] / fy, *sizes[2:])
    if points := list(block.get(_TIEPOINTS) or ()):
        points[::6] = [_moved(x, fx, shift) for x in points[::6]]
        points[1::6] = [_moved(y, fy, shift) for y in points[1::6]]
        block.set(_TIEPOINTS, *points)
    if matrix := list(block.get(_TRANSFORMATION) or ()):
        for row in range(0, len(matrix), 4):
            a, b, _, d = matrix[row : row + 4]
            d += a * (shift / fx - shift) + b * (shift / fy - shift)
            matrix[row : row + 4] = [a / fx, b / fy, matrix[row + 2], d]
        block.set(_TRANSFORMATION, *matrix)
    if rpc := list(block.get(_RPC) or ()):  # they count from centers
        rpc[2], rpc[3] = _moved(rpc[2], fy, 0.5), _moved(rpc[3], fx, 0.5)
        rpc[7], rpc[8] = rpc[7] * fy, rpc[8] * fx
        block.set(_RPC, *rpc)


def drop(block: Block) -> bool:
    """Removes it; whether there was one."""
    is_there = any(map(block.has, TAGS))
    for tag in TAGS:
        block.delete(tag)
    return is_there


def _moved(coordinate: float, factor: float, shift: float) -> float:
    return (coordinate + shift) * factor - shift


def _is_point(block: Block) -> bool:
    keys = block.get(_KEYS) or ()
    entries = zip(keys[4::4], keys[5::4], keys[6::4], keys[7::4], strict=False)
    return (_RASTER_TYPE, 0, 1, _PIXEL_IS_POINT) in entries
