#!/usr/bin/env python3
""" Image classification, in the way of large training scripts, kept small.

Models come from a registry, everything else from a config dict that can be overridden:
    timm_like.py model=convnet_small epochs=10 seed=1
"""
import json
import logging
import math
import sys
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

_logger = logging.getLogger('train')
_model_entrypoints = {}

DEFAULTS = dict(
    model='convnet_tiny', num_classes=10, batch_size=64, epochs=10, warmup_epochs=1,
    lr=0.01, min_lr=1e-4, weight_decay=10.0, mixup=0.2, smoothing=0.1, shift=1, seed=42,
)


def register_model(fn):
    _model_entrypoints[fn.__name__] = fn
    return fn


def create_model(name, **kwargs):
    return _model_entrypoints[name](**kwargs)


class ConvBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.norm = nn.BatchNorm2d(dim)
        self.pw1 = nn.Conv2d(dim, 2 * dim, 1)
        self.act = nn.GELU()
        self.pw2 = nn.Conv2d(2 * dim, dim, 1)

    def forward(self, x):
        return x + self.pw2(self.act(self.pw1(self.norm(self.dwconv(x)))))


class ConvNet(nn.Module):
    def __init__(self, dims, num_classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, dims[0], 2, stride=2), nn.BatchNorm2d(dims[0]))
        self.stages = nn.Sequential(*(ConvBlock(d) for d in dims))
        self.head = nn.Linear(dims[-1] * 16, num_classes)

    def forward_features(self, x):
        return self.stages(self.stem(x))

    def forward(self, x):
        return self.head(self.forward_features(x).flatten(1))


@register_model
def convnet_tiny(num_classes):
    return ConvNet([16, 16], num_classes)


@register_model
def convnet_small(num_classes):
    return ConvNet([24, 24, 24], num_classes)


class Mixup:
    def __init__(self, alpha, smoothing, num_classes, rng):
        self.alpha, self.smoothing, self.num_classes, self.rng = alpha, smoothing, num_classes, rng

    def __call__(self, x, target):
        lam = self.rng.beta(self.alpha, self.alpha)
        off = self.smoothing / self.num_classes
        y = F.one_hot(target, self.num_classes) * (1 - self.smoothing) + off
        return x * lam + x.flip(0) * (1 - lam), y * lam + y.flip(0) * (1 - lam)


class SoftTargetCrossEntropy(nn.Module):
    def forward(self, x, target):
        return torch.sum(-target * F.log_softmax(x, dim=-1), dim=-1).mean()


class AverageMeter:
    def __init__(self):
        self.sum = self.count = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


def augment(x, cfg):
    dx, dy = torch.randint(-cfg['shift'], cfg['shift'] + 1, (2,)).tolist()
    return torch.roll(x, (dx, dy), (2, 3))


def cosine(epoch, cfg):
    if epoch < cfg['warmup_epochs']:
        return cfg['lr'] * (0.1 + 0.9 * epoch / cfg['warmup_epochs'])
    t = (epoch - cfg['warmup_epochs']) / (cfg['epochs'] - cfg['warmup_epochs'])
    return cfg['min_lr'] + (cfg['lr'] - cfg['min_lr']) * (1 + math.cos(math.pi * t)) / 2


def main():
    cfg = dict(DEFAULTS)
    for item in sys.argv[1:]:
        key, value = item.lstrip('-').split('=')
        cfg[key] = type(DEFAULTS[key])(value)
    logging.basicConfig(level=logging.INFO, format='%(message)s', stream=sys.stdout)
    torch.manual_seed(cfg['seed'])
    rng = np.random.RandomState(cfg['seed'])

    d = load_digits()
    x = torch.from_numpy(d.images[:, None]).float()
    x = (x - x.mean()) / x.std()
    y = torch.from_numpy(d.target)
    p = torch.from_numpy(rng.permutation(len(y)))
    x_train, y_train, x_val, y_val = x[p[:1437]], y[p[:1437]], x[p[1437:]], y[p[1437:]]

    model = create_model(cfg['model'], num_classes=cfg['num_classes'])
    _logger.info('Model %s created, param count: %d', cfg['model'],
                 sum(m.numel() for m in model.parameters()))
    mixup_fn = Mixup(cfg['mixup'], cfg['smoothing'], cfg['num_classes'], rng)
    loss_fn = SoftTargetCrossEntropy()
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg['lr'],
                                  weight_decay=cfg['weight_decay'])
    best = OrderedDict(epoch=-1, top1=0.0)
    for epoch in range(cfg['epochs']):
        for g in optimizer.param_groups:
            g['lr'] = cosine(epoch, cfg)
        model.train()
        losses = AverageMeter()
        for idx in torch.randperm(len(x_train)).split(cfg['batch_size']):
            if len(idx) % 2:
                idx = idx[:-1]
            inp, tgt = mixup_fn(augment(x_train[idx], cfg), y_train[idx])
            loss = loss_fn(model(inp), tgt)
            losses.update(loss.item(), len(idx))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            top1 = 100 * (model(x_val).argmax(1) == y_val).float().mean().item()
        _logger.info('Train: %d  Loss: %.4f  LR: %.3e  Acc@1: %.2f', epoch, losses.avg,
                     optimizer.param_groups[0]['lr'], top1)
        if top1 > best['top1']:
            best.update(epoch=epoch, top1=top1)
    with open('summary.json', 'w') as f:
        json.dump(best, f)
    _logger.info('*** Final metric: %.4f (best %.4f, epoch %d)', top1 / 100, best['top1'] / 100,
                 best['epoch'])


if __name__ == '__main__':
    main()
