import argparse


def read():
    parser = argparse.ArgumentParser(prog="wine_net")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--output", default="wine.json")
    return parser.parse_args()
