"""Published figures beside ours, over seeds: `python benchmarks/figures.py --data-dir FOLDER_OF_MNIST`. Takes about five minutes.

Prints the table that stands in docs/figures.md. Figures without randomness are shown once, the others as smallest, median and
largest over the seeds. The full-MNIST training is also done by a plain PyTorch loop, because its last epoch is noisy in any program.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

import sevensteps as ss

THREADS = 2
BOOK = {"loss": "mnist_loss()", "initialize": "pytorch_default()"}
IN_ORDER, SHUFFLED = "batches(256, shuffle=False)", "batches(256)"
NIELSEN = {"predict": "mlp(30)", "step": "sgd(lr=0.5)", "stop": "epochs(20)", "repeat": SHUFFLED, "initialize": "pytorch_default()"}


def spread(values: list[float]) -> str:
    """Smallest, median and largest, or the one value that all have."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.4f}" if low == high else f"{middle:.4f} ({low:.4f}–{high:.4f})"


def trained(data: ss.data.Data, seeds: int, **steps: str) -> list[ss.Run]:
    return [ss.train(data, seed=seed, threads=THREADS, out=False, **steps) for seed in range(seeds)]


def accuracies(runs: list[ss.Run], which: str = "last") -> list[float]:
    return [getattr(run, which).metrics["valid"]["accuracy"] for run in runs]


def plain_loop(data: ss.data.Data, seed: int) -> tuple[float, float]:
    """The full-MNIST training by hand: accuracy of the last epoch and of the best."""
    torch.manual_seed(seed)
    x, y, held = data.train.x, data.train.y, data.valid
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    found = []
    for _ in range(20):
        for index in torch.randperm(len(x)).split(256):
            loss = F.cross_entropy(network(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found.append(float((network(held.x).argmax(1) == held.y).double().mean()))
    return found[-1], max(found)


def rows(data_dir: str, seeds: int) -> Iterator[tuple[str, str, str]]:
    """(what, published, ours)."""
    pair, full = ss.data.load("mnist37", data_dir), ss.data.load("mnist", data_dir)
    for metric, published in (("l1", "3s .9168, 7s .9854, mean .9511"), ("l2", "")):
        right = trained(pair, 1, predict=f'pixel_similarity("{metric}")')[0].metrics["valid"]["by_class"]
        yield (f"mnist37, pixel similarity, {metric.upper()}", published,
               f"3s {right['3']:.4f}, 7s {right['7']:.4f}, mean {(right['3'] + right['7']) / 2:.4f}")
    for metric in ("l1", "l2"):
        found = accuracies(trained(full, 1, predict=f'pixel_similarity("{metric}")'))
        yield f"mnist, pixel similarity, {metric.upper()}", "", spread(found)
    linear = {"predict": "linear()", "step": "sgd(lr=1.0)", "stop": "epochs(20)", **BOOK}
    yield "mnist37, linear, 20 epochs, in the book's order", ".9785", spread(accuracies(trained(pair, seeds, **linear, repeat=IN_ORDER)))
    yield "the same, shuffled", "", spread(accuracies(trained(pair, seeds, **linear, repeat=SHUFFLED)))
    hidden = {"predict": "mlp(30)", "step": "sgd(lr=0.1)", "stop": "epochs(40)", **BOOK}
    yield "mnist37, mlp(30), 40 epochs, in the book's order", ".9828", spread(accuracies(trained(pair, seeds, **hidden, repeat=IN_ORDER)))
    yield "the same, shuffled", "", spread(accuracies(trained(pair, seeds, **hidden, repeat=SHUFFLED)))
    ours, by_hand = trained(full, seeds, **NIELSEN), [plain_loop(full, seed) for seed in range(seeds)]
    yield "mnist, 784-30-10, SGD .5, last of 20 epochs", "", spread(accuracies(ours))
    yield "the same by a plain PyTorch loop", "", spread([last for last, _ in by_hand])
    yield "mnist, 784-30-10, SGD .5, best of 20 epochs", "", spread(accuracies(ours, "best"))
    yield "the same by a plain PyTorch loop", "", spread([best for _, best in by_hand])
    yield "digits, all defaults", "", spread(accuracies(trained(ss.data.load("digits"), seeds)))
    quadratic = {"predict": "polynomial(2)", "initialize": 'normal(1.0, bias="normal")', "step": "sgd(lr=1e-5)", "repeat": "full_batch()"}
    falls = [[row["train"]["loss"] for row in run.history] for run in trained(ss.data.load("speed"), seeds, **quadratic, stop="epochs(10)")]
    yield ("speed, ten steps at lr 1e-5: first loss → last", "25823.81 → 676.95",
           f"{statistics.median(f[0] for f in falls):.0f} ({min(f[0] for f in falls):.0f}–{max(f[0] for f in falls):.0f}) → "
           f"{statistics.median(f[-1] for f in falls):.0f} ({min(f[-1] for f in falls):.0f}–{max(f[-1] for f in falls):.0f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, help="folder with the files of MNIST")
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    torch.set_num_threads(THREADS)
    print(f"torch {torch.__version__}, {THREADS} threads, seeds 0–{asked.seeds - 1}\n\n| what | published | ours |\n|---|---|---|")
    for row in rows(asked.data_dir, asked.seeds):
        print("| " + " | ".join(cell or "–" for cell in row) + " |", flush=True)


if __name__ == "__main__":
    main()
