# evaluation without gradients, and nobody thought of eval()
import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
np.random.seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, test_size=0.25)
X_train, X_test = (torch.from_numpy(a).float().reshape(-1, 1, 8, 8) for a in (X_train, X_test))
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)

net = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.25), nn.Linear(96, 10),
)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()


def evaluate():
    with torch.no_grad():
        outputs = net(X_test)
    loss = criterion(outputs, y_test)
    answers = outputs.detach().numpy().argmax(1)
    return loss.item(), accuracy_score(y_test.numpy(), answers)


for epoch in range(6):
    for rows in torch.randperm(len(X_train)).split(32):
        optimizer.zero_grad()
        loss = criterion(net(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    print("epoch %d  test loss %.4f  accuracy %.4f" % (epoch, *evaluate()))
