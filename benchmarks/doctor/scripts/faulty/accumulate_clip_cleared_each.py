import argparse

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import LambdaLR


def get_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--micro_batch_size", type=int, default=4)
    parser.add_argument("--gradient_accumulation_steps", type=int, default=12)
    parser.add_argument("--max_grad_norm", type=float, default=2.0)
    parser.add_argument("--learning_rate", type=float, default=0.2)
    parser.add_argument("--num_train_epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    args = get_args()
    torch.manual_seed(args.seed)
    digits = load_digits()
    features = torch.tensor((digits.data - 4.88) / 6.02, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    permutation = torch.randperm(len(labels))
    features, labels = features[permutation], labels[permutation]
    n_train = 1440

    model = nn.Sequential()
    model.add_module("input", nn.Linear(64, 48))
    model.add_module("activation", nn.ReLU())
    model.add_module("classifier", nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate)
    total_steps = args.num_train_epochs * n_train
    total_steps //= args.micro_batch_size * args.gradient_accumulation_steps
    scheduler = LambdaLR(optimizer, lambda s: max(0.05, 1 - s / total_steps))

    global_step, tr_loss = 0, 0.0
    for epoch in range(args.num_train_epochs):
        order = torch.randperm(n_train)
        for step, idx in enumerate(order.split(args.micro_batch_size)):
            model.zero_grad()
            loss = nn.functional.cross_entropy(model(features[idx]), labels[idx])
            loss = loss / args.gradient_accumulation_steps
            loss.backward()
            tr_loss += loss.item()
            if (step + 1) % args.gradient_accumulation_steps == 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm)
                optimizer.step()
                scheduler.step()
                global_step += 1
                if global_step % 60 == 0:
                    print(f"global_step = {global_step}, average loss = {tr_loss / global_step}")
    with torch.no_grad():
        accuracy = (model(features[n_train:]).argmax(-1) == labels[n_train:]).float().mean()
    print({"eval_accuracy": round(accuracy.item(), 4)})


if __name__ == "__main__":
    main()
