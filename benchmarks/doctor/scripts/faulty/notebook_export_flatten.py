#!/usr/bin/env python
# coding: utf-8

# # Digits with a ConvNet

# In[1]:


import os
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED);


# In[2]:


# the images lie in one folder per class, so we read them class by class
raw = load_digits()
images = np.concatenate([raw.images[raw.target == c] for c in range(10)])
labels = np.concatenate([raw.target[raw.target == c] for c in range(10)])
images.shape, labels.shape


# In[3]:


hold_out = np.zeros(len(labels), dtype=bool)
hold_out[np.random.permutation(len(labels))[:360]] = True

to_tensor = lambda a: torch.tensor(a[:, None] / 16.0 - 0.3, dtype=torch.float32)
train_ds = TensorDataset(to_tensor(images[~hold_out]), torch.tensor(labels[~hold_out]))
test_ds = TensorDataset(to_tensor(images[hold_out]), torch.tensor(labels[hold_out]))
train_dl = DataLoader(train_ds, batch_size=48, shuffle=True)
test_dl = DataLoader(test_ds, batch_size=120)
xb, yb = next(iter(train_dl))
print(xb.shape, yb.shape)


# In[4]:


class ConvNet(nn.Module):
    def __init__(self):
        super(ConvNet, self).__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.fc1 = nn.Linear(24 * 4 * 4, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, 24 * 4 * 4)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


net = ConvNet()
net


# In[5]:


net(xb).shape


# In[6]:


opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
hist = []
for epoch in range(8):
    net.train()
    for xb, yb in train_dl:
        opt.zero_grad()
        l = F.cross_entropy(net(xb), yb)
        l.backward()
        opt.step()
        hist.append(l.item())
    net.eval()
    with torch.no_grad():
        hits = sum((net(xb).argmax(1) == yb).sum().item() for xb, yb in test_dl)
    print(f"Epoch {epoch}: loss {np.mean(hist[-30:]):.3f}, test accuracy {hits / len(test_ds):.3f}")


# In[7]:


print("Test accuracy:", round(hits / len(test_ds), 4))


# In[ ]:




