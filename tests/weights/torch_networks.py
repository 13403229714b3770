"""The originals' networks as PyTorch modules: their names of tensors, their results.

IGNN as in sczhou/IGNN, EDSR as in sanghyun-son/EDSR-PyTorch and as in
XPixelGroup/BasicSR. Images are [B, 3, H, W] RGB in [0, 255], in BasicSR in [0, 1].
"""

import torch
from torch import nn
from torch.nn import functional as F

MEAN = (0.4488, 0.4371, 0.4040)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class MeanShift(nn.Conv2d):
    def __init__(self, color_range, mean, std=(1.0, 1.0, 1.0), sign=-1):
        super().__init__(3, 3, kernel_size=1)
        std = torch.Tensor(std)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1) / std.view(3, 1, 1, 1)
        self.bias.data = sign * color_range * torch.Tensor(mean) / std


class Block(nn.Module):
    def __init__(self, features, side, scale):
        super().__init__()
        convolutions = (conv(features, features, side) for _ in range(2))
        first, second = convolutions
        self.body = nn.Sequential(first, nn.ReLU(), second)
        self.scale = scale

    def forward(self, x):
        return x + self.scale * self.body(x)


def conv(into, out, side=3, stride=1):
    return nn.Conv2d(into, out, side, stride=stride, padding=(side - 1) // 2)


def layer(*args, relu=True, **options):
    """IGNN's convolutions are in a Sequential each."""
    return nn.Sequential(conv(*args, **options), *[nn.ReLU()] * relu)


def shuffles(features, scale):
    factors = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
    return [
        module
        for f in factors
        for module in (conv(features, f * f * features), nn.PixelShuffle(f))
    ]


class EDSR(nn.Module):
    def __init__(self, scale, features, blocks, residual_scale=1.0, color_range=255):
        super().__init__()
        self.sub_mean = MeanShift(color_range, MEAN)
        self.add_mean = MeanShift(color_range, MEAN, sign=1)
        self.head = nn.Sequential(conv(3, features))
        body = [Block(features, 3, residual_scale) for _ in range(blocks)]
        self.body = nn.Sequential(*body, conv(features, features))
        upsampler = nn.Sequential(*shuffles(features, scale))
        self.tail = nn.Sequential(upsampler, conv(features, 3))

    def forward(self, x):
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(self.body(x) + x))


class BasicBlock(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.conv1, self.conv2 = (conv(features, features) for _ in range(2))

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class BasicEDSR(nn.Module):
    def __init__(self, scale, features, blocks):
        super().__init__()
        self.mean = torch.Tensor(MEAN).view(1, 3, 1, 1)
        self.conv_first = conv(3, features)
        self.body = nn.Sequential(*(BasicBlock(features) for _ in range(blocks)))
        self.conv_after_body = conv(features, features)
        self.upsample = nn.Sequential(*shuffles(features, scale))
        self.conv_last = conv(features, 3)

    def forward(self, x):
        x = self.conv_first((x - self.mean) * 255)
        x = self.conv_after_body(self.body(x)) + x
        return self.conv_last(self.upsample(x)) / 255 + self.mean


class VGG19(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(conv(3, 64), nn.ReLU(), conv(64, 64), nn.ReLU())
        self.sub_mean = MeanShift(1.0, *IMAGENET)

    def forward(self, x):
        return self.model(self.sub_mean(x / 255))


class Graph(nn.Module):
    """Only for its names: a state dict has VGG19 a second time, in here."""

    def __init__(self, vggnet):
        super().__init__()
        self.embedcnn = vggnet


class GraphBlock(nn.Module):
    """Finds the neighbors in the whole image, and aggregates them."""

    def __init__(self, features, scale, neighbors):
        super().__init__()
        self.scale, self.neighbors = scale, neighbors
        self.knn_downsample = nn.Sequential(
            layer(features, features, 5, stride=scale),
            layer(features, features),
            layer(features, features, relu=False),
        )
        self.weightnet_lr, self.weightnet_hr = (
            nn.Sequential(
                layer(64, 64, 1, relu=False),
                Block(64, 1, 0.1),
                layer(64, 1, 1, relu=False),
            )
            for _ in range(2)
        )

    def forward(self, features, query, candidate):
        s, c = self.scale, features.shape[1]
        height, width = features.shape[2:]
        whole = features[:, :, : height // s * s, : width // s * s]
        mine, theirs = patches(query, 1), patches(candidate, 1)  # [1, E * 9, M or N]
        nearest = torch.cdist(mine.mT, theirs.mT).topk(self.neighbors, largest=False)
        low, high = patches(features, 1), patches(whole, s)
        std, mean = statistics(low.view(1, c, 9, -1))
        maps, labels = [], []
        for index in nearest.indices[0].T:
            hr = high[:, :, index].view(1, c, 9 * s * s, -1)
            hr_std, hr_mean = statistics(hr)
            hr = (hr - hr_mean) / hr_std * std + mean
            maps.append(fold(hr.flatten(1, 2), (height, width), s))
            label = (mine - theirs[:, :, index]).abs().view(1, 64, 9, -1).sum(2)
            label = label[:, :, None].expand(-1, -1, 9 * s * s, -1).flatten(1, 2)
            labels.append(fold(label, (height, width), s))
        hr_scores = torch.stack([self.weightnet_hr(x) for x in labels])
        lr_scores = torch.stack([self.weightnet_lr(F.avg_pool2d(x, s)) for x in labels])
        lr_maps = torch.stack([self.knn_downsample(x) for x in maps])
        lr = (lr_scores.softmax(0) * lr_maps).sum(0)
        return lr, (hr_scores.softmax(0) * torch.stack(maps)).sum(0)


def margins(size):
    """Zeros before and after each axis, so that patches of 3 at stride 2 cover it."""
    totals = [-(n - 3) % 2 if n > 3 else 3 - n for n in size]
    return [(n // 2, n - n // 2) for n in totals]


def patches(x, scale):
    """[1, C, S * H, S * W] to [1, C * 9 * S * S, patches]."""
    rows, columns = margins([n // scale for n in x.shape[2:]])
    x = F.pad(x, [scale * n for n in (*columns, *rows)])
    return F.unfold(x, 3 * scale, stride=2 * scale)


def fold(columns, size, scale):
    """Patches back to an image, averaged where they overlap."""
    rows_columns = margins(size)
    padded = [scale * (n + sum(m)) for n, m in zip(size, rows_columns, strict=True)]
    total, count = (
        F.fold(x, padded, 3 * scale, stride=2 * scale)
        for x in (columns, torch.ones_like(columns))
    )
    (top, _), (left, _) = rows_columns
    height, width = (scale * n for n in size)
    x = total / count
    return x[..., scale * top :, scale * left :][..., :height, :width]


def statistics(x):
    return (x.var(2, keepdim=True) + 1e-5).sqrt(), x.mean(2, keepdim=True)


class IGNN(nn.Module):
    def __init__(self, scale, features, blocks, neighbors=5):
        super().__init__()
        s = 2 if scale == 4 else scale
        self.sub_mean = MeanShift(255, MEAN)
        self.add_mean = MeanShift(255, MEAN, sign=1)
        self.vggnet = VGG19()
        self.graph = Graph(self.vggnet)
        self.head = layer(3, features, relu=False)
        body = [Block(features, 3, 0.1) for _ in range(blocks)]
        self.body1 = nn.Sequential(*body[: blocks // 2])
        self.gcn = GraphBlock(features, s, neighbors)
        self.fuse_b, self.fuse_up = (
            nn.Sequential(
                layer(2 * features, features), layer(features, features, relu=relu)
            )
            for relu in (False, True)
        )
        self.body2 = nn.Sequential(
            *body[blocks // 2 :], layer(features, features, relu=False)
        )
        self.upsample = nn.Sequential(*shuffles(features, s))
        last = [nn.Sequential(*shuffles(features, 2))] if scale == 4 else []
        self.tail = nn.Sequential(*last, layer(features, 3, relu=False))

    def forward(self, lr_downsampled, lr):
        embedded = self.vggnet(lr), self.vggnet(lr_downsampled)
        x0 = self.head(self.sub_mean(lr))
        x = self.body1(x0)
        x_lr, x_hr = self.gcn(x, *embedded)
        x = self.body2(self.fuse_b(torch.cat([x, x_lr], 1))) + x0
        x = self.fuse_up(torch.cat([self.upsample(x), x_hr], 1))
        return self.add_mean(self.tail(x))
