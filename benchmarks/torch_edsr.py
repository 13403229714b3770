"""A minimal EDSR in PyTorch, for `benchmarks.inference` to compare with."""

import argparse
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.common import SCALE, SIZES


class ResBlock(nn.Module):
    def __init__(self, features, residual_scale):
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1),
        )
        self.residual_scale = residual_scale

    def forward(self, x):
        return x + self.residual_scale * self.convs(x)


class EDSR(nn.Module):
    def __init__(self, features, num_blocks, residual_scale):
        super().__init__()
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(
            *(ResBlock(features, residual_scale) for _ in range(num_blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        )
        self.tail = nn.Sequential(
            nn.Conv2d(features, SCALE**2 * features, 3, padding=1),
            nn.PixelShuffle(SCALE),
            nn.Conv2d(features, 3, 3, padding=1),
        )

    def forward(self, x):
        x = self.head(x)
        return self.tail(self.body(x) + x)


def make_run(args: argparse.Namespace) -> Callable[[], None]:
    """A function that runs one forward pass, with the settings that PyTorch advises."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")  # TF32, like XLA's default
    options = {"device": device, "dtype": getattr(torch, args.dtype)}
    channels_last = {"memory_format": torch.channels_last}
    size = SIZES[args.size]
    model = EDSR(size["features"], size["num_blocks"], size["residual_scale"])
    model = model.to(**options, **channels_last).eval()
    image = 255 * torch.rand(1, 3, args.side, args.side, **options)
    image = image.contiguous(**channels_last)

    def run():
        with torch.inference_mode():
            model(image)
        if device == "cuda":
            torch.cuda.synchronize()

    return run
