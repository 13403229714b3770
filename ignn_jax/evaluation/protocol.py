"""How the scores come about, in words."""

from collections.abc import Sequence


def protocol(*, scale: int, networks: Sequence[str] = ()) -> list[str]:
    """The sentences that stand beside every set of scores.

    Args:
      scale: of the super-resolution.
      networks: how the networks are run, in sentences such as `network_protocol`'s.
    """
    return [
        f"HR images are cut at the bottom and the right to a multiple of {scale}.",
        "LR images are the set's own where it has them for the scale. Others are made "
        "of the cut HR image by MATLAB's bicubic imresize: antialiased, rounded to 8 "
        "bits after each of the two passes, symmetric padding.",
        "Bicubic is MATLAB's imresize of the LR image with symmetric padding, rounded "
        "once at the end.",
        *networks,
        f"A border of {scale} pixels is cut on every side before comparing.",
        "PSNR and SSIM are taken on Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 "
        "of the 8-bit images; gray images count as RGB. SSIM has an 11 x 11 Gaussian "
        "window of sigma 1.5, inside the image.",
        "Means are over images. Identical images have an infinite PSNR, written inf.",
    ]


def network_protocol(*, tile: int, overlap: int, ensemble: bool) -> str:
    """What happens to a network's images, in words."""
    size = f"in tiles of {tile} pixels and {overlap} around" if tile else "whole"
    output = (
        "the mean of its floating-point outputs for the 8 flips and rotations"
        if ensemble
        else "its output"
    )
    return (
        f"The network sees LR images {size}; {output} is clipped to [0, 255] and "
        "rounded to 8 bits."
    )
