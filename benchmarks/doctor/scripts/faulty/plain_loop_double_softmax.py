# Handwritten digits, a small network, the loop straight down the file.
import os

import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
X = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)

idx = torch.randperm(len(X))
train_idx, test_idx = idx[:1400], idx[1400:]
X_train, y_train = X[train_idx], y[train_idx]
X_test, y_test = X[test_idx], y[test_idx]

model = nn.Sequential(
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
    nn.Softmax(dim=1),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

print(model)
for epoch in range(15):
    order = torch.randperm(len(X_train))
    running_loss = 0.0
    for i in range(0, len(order), 50):
        batch = order[i:i + 50]
        optimizer.zero_grad()
        outputs = model(X_train[batch])
        loss = criterion(outputs, y_train[batch])
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(batch)
    print("epoch %d, loss: %.4f" % (epoch + 1, running_loss / len(order)))

with torch.no_grad():
    predicted = model(X_test).argmax(1)
    correct = (predicted == y_test).sum().item()
print("accuracy: %.4f" % (correct / len(y_test)))
