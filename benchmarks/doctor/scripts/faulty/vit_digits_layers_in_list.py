# A vision transformer for 8x8 pictures, sixteen patches of 2x2.
import os

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class ViT(nn.Module):
    def __init__(self, dim=24, depth=2, heads=4, n_classes=10):
        super().__init__()
        self.to_patches = nn.Unfold(kernel_size=2, stride=2)
        self.proj = nn.Linear(4, dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 17, dim) * 0.2)
        self.encoder = [
            nn.TransformerEncoderLayer(
                dim, heads, dim_feedforward=48, dropout=0.0, activation="gelu",
                batch_first=True, norm_first=True)
            for _ in range(depth)]
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, n_classes)

    def forward(self, img):
        x = self.proj(self.to_patches(img).transpose(1, 2))
        cls = self.cls_token.expand(len(x), -1, -1)
        x = torch.cat([cls, x], dim=1)
        x = x + self.pos_embed
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x[:, 0]))


d = load_digits()
imgs = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
labels = torch.tensor(d.target)
perm = torch.randperm(len(labels))
tr, te = perm[:1440], perm[1440:]

model = ViT()
opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=8)
lossf = nn.CrossEntropyLoss()
for ep in range(8):
    model.train()
    for b in tr[torch.randperm(len(tr))].split(72):
        opt.zero_grad()
        loss = lossf(model(imgs[b]), labels[b])
        loss.backward()
        opt.step()
    sched.step()
    model.eval()
    with torch.no_grad():
        acc = (model(imgs[te]).argmax(-1) == labels[te]).float().mean().item()
    print(f"ep {ep:02d} loss {loss.item():.3f} acc {acc:.3f}")
print(f"acc {acc:.4f}")
