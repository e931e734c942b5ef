import argparse
import contextlib

import torch
import torch.nn as nn
from sklearn.datasets import load_digits


def conv_bn(i, o, stride):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True)
    )


def build():
    return nn.Sequential(
        conv_bn(1, 8, 1),
        conv_bn(8, 16, 2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def get_data(seed):
    bunch = load_digits()
    g = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(bunch.images).float().div(8).sub(1)[:, None]
    y = torch.from_numpy(bunch.target)
    p = torch.randperm(len(y), generator=g)
    return x[p[:1400]], y[p[:1400]], x[p[1400:]], y[p[1400:]]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--epochs", type=int, default=6)
    ap.add_argument("--no-amp", action="store_true")
    ap.add_argument("--clip", type=float, default=1.0)
    args = ap.parse_args()

    torch.manual_seed(args.seed)
    xtr, ytr, xte, yte = get_data(args.seed)
    model = build()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler("cpu", enabled=not args.no_amp)

    def cast():
        if args.no_amp:
            return contextlib.nullcontext()
        return torch.autocast("cpu", dtype=torch.bfloat16)

    for epoch in range(args.epochs):
        model.train()
        perm = torch.randperm(len(xtr))
        for i in range(0, len(perm), 56):
            sel = perm[i:i + 56]
            optimizer.zero_grad(set_to_none=True)
            with cast():
                loss = criterion(model(xtr[sel]), ytr[sel])
            scaler.scale(loss).backward()
            nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            scaler.step(optimizer)
            scaler.update()
        model.eval()
        with torch.no_grad(), cast():
            acc = (model(xte).argmax(1) == yte).float().mean().item()
        print(f"[{epoch}] loss={loss.item():.4f} acc={acc:.4f} scale={scaler.get_scale():g}")
    print(f"acc: {acc:.4f}")


if __name__ == "__main__":
    main()
