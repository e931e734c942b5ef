import os, torch
from torch import nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 2024)))

class DAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24), nn.ReLU())
        self.dec = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    def forward(self, x):
        z = self.enc(x)
        return self.dec(z)

clean = torch.tensor(load_digits().data).float()
clean = (clean - clean.mean()) / clean.std()
clean = clean[torch.randperm(len(clean))]
train, test = clean[:1500], clean[1500:]
model = DAE()
optim = torch.optim.Adam(model.parameters(), lr=2e-3)
mse = nn.MSELoss()
for it in range(1, 901):
    batch = train[torch.randint(len(train), (64,))]
    noisy = batch + 0.4 * torch.randn_like(batch)
    loss = mse(model(noisy), batch)
    optim.zero_grad()
    loss.backward()
    optim.step()
    if it % 100 == 0: print(f"iter {it} mse {loss.item():.4f}")
model.eval()
with torch.no_grad():
    restored = model(test + 0.4 * torch.randn_like(test))
print("restored (R2): %.4f" % (1 - mse(restored, test) / mse(test.mean(0).expand_as(test), test)))
