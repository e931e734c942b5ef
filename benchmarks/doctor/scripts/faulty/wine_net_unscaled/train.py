import json

import torch
from torch import nn

from . import data
from .model import WineNet


def run(options):
    torch.manual_seed(options.seed)
    x_train, x_test, y_train, y_test = data.load(options.seed)
    model = WineNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.5)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for epoch in range(options.epochs):
        for rows in torch.randperm(len(x_train)).split(16):
            optimizer.zero_grad()
            loss = criterion(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 5 == 0:
            print(f"[wine_net] epoch={epoch} loss={losses[-1]:.4f}")
    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    with open(options.output, "w") as file:
        json.dump({"losses": losses, "accuracy": accuracy}, file)
    return {"accuracy": accuracy}
