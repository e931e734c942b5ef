"""Small faulty scripts, which trials cure from outside."""

from __future__ import annotations

HEAD = """
import os, sys
import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x @ torch.randn(8, 4)).argmax(1)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
"""
SOFTMAX_TWICE = f"""{HEAD}
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(4):
    for rows in torch.randperm(256).split(16):
        loss = F.cross_entropy(model(x[rows]).softmax(1), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = sum((model(x[i::4]).argmax(1) == y[i::4]).sum().item() for i in range(4))
        print(epoch, right / 256)
    open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "log.txt"), "a").write("epoch\\n")
    torch.save(model.state_dict(), "model.pt")
sys.exit(3)
"""
TAKE_OFF = {"loss": "take_off(function='softmax', place='train.py:14')"}
