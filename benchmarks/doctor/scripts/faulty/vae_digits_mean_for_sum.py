from __future__ import print_function

import argparse

import torch
import torch.utils.data
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn import functional as F

parser = argparse.ArgumentParser(description='VAE digits example')
parser.add_argument('--batch-size', type=int, default=64, metavar='N')
parser.add_argument('--epochs', type=int, default=15, metavar='N')
parser.add_argument('--seed', type=int, default=1, metavar='S')
parser.add_argument('--log-interval', type=int, default=10, metavar='N')
args = parser.parse_args()

torch.manual_seed(args.seed)
device = torch.device("cpu")

pixels = torch.tensor(load_digits().images, dtype=torch.float).unsqueeze(1) / 16.
train_part, test_part = torch.utils.data.random_split(
    torch.utils.data.TensorDataset(pixels), [1500, 297])
train_loader = torch.utils.data.DataLoader(train_part, batch_size=args.batch_size, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_part, batch_size=args.batch_size, shuffle=False)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 80)
        self.fc21 = nn.Linear(80, 8)
        self.fc22 = nn.Linear(80, 8)
        self.fc3 = nn.Linear(8, 80)
        self.fc4 = nn.Linear(80, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5*logvar)
        eps = torch.randn_like(std)
        return mu + eps*std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=3e-3)


# Reconstruction and KL divergence, both summed over the pixels and codes of a sample
def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction='mean')
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + 0.5 * KLD / len(x)


def train(epoch):
    model.train()
    train_loss = 0
    for batch_idx, (data,) in enumerate(train_loader):
        data = data.to(device)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item() * len(data)
        optimizer.step()
        if batch_idx % args.log_interval == 0:
            print('Train Epoch: {} [{}/{}]\tLoss: {:.6f}'.format(
                epoch, batch_idx * len(data), len(train_loader.dataset), loss.item()))
    print('====> Epoch: {} Average loss: {:.4f}'.format(
          epoch, train_loss / len(train_loader.dataset)))


def test():
    model.eval()
    wrong = spread = 0.
    mean = pixels.mean(0, keepdim=True)
    with torch.no_grad():
        for data, in test_loader:
            mu, _ = model.encode(data.view(-1, 64))
            recon = model.decode(mu).view_as(data)
            wrong += (recon - data).pow(2).sum().item()
            spread += (mean - data).pow(2).sum().item()
    return 1 - wrong / spread


if __name__ == "__main__":
    for epoch in range(1, args.epochs + 1):
        train(epoch)
    print('variance explained on test set: {:.4f}'.format(test()))
