'''
A GAN that learns points on a circle.

usage: gan_ring.py [--seed SEED] [--steps STEPS]
'''
import argparse, math
import torch
import torch.nn as nn

def sample_real(n):
    t = torch.rand(n) * 2 * math.pi
    r = 1.0 + 0.05 * torch.randn(n)
    return torch.stack([r * torch.cos(t), r * torch.sin(t)], dim=1)

class Generator(nn.Module):
    def __init__(self, nz=4, nh=48):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(nz, nh), nn.LeakyReLU(0.2),
                                  nn.Linear(nh, nh), nn.LeakyReLU(0.2),
                                  nn.Linear(nh, 2))
    def forward(self, z):
        return self.main(z)

class Discriminator(nn.Module):
    def __init__(self, nh=48):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, nh), nn.LeakyReLU(0.2),
                                  nn.Linear(nh, nh), nn.LeakyReLU(0.2),
                                  nn.Linear(nh, 1))
    def forward(self, x):
        return self.main(x).squeeze(1)

parser = argparse.ArgumentParser()
parser.add_argument('--seed', type=int, default=0)
parser.add_argument('--steps', type=int, default=700)
opt = parser.parse_args()
print(opt)
torch.manual_seed(opt.seed)

nz = 4
bs = 96
netG, netD = Generator(nz), Discriminator()
optG = torch.optim.Adam(netG.parameters(), lr=1e-3, betas=(0.5, 0.9))
optD = torch.optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.9))
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(bs), torch.zeros(bs)

for step in range(opt.steps):
    # (1) D: real -> 1, fake -> 0
    netD.zero_grad()
    lossD_real = bce(netD(sample_real(bs)), ones)
    lossD_real.backward()
    fake = netG(torch.randn(bs, nz))
    lossD_fake = bce(netD(fake.detach()), zeros)
    lossD_fake.backward()
    optD.step()
    # (2) G: make D say 1
    netG.zero_grad()
    lossG = bce(netD(fake), ones)
    lossG.backward()
    optG.step()
    if step % 200 == 0:
        print('[%4d/%d] Loss_D: %.4f Loss_G: %.4f' % (
            step, opt.steps, (lossD_real + lossD_fake).item(), lossG.item()))

with torch.no_grad():
    points = netG(torch.randn(1000, nz))
radius = points.norm(dim=1)
near = ((radius - 1).abs() < 0.25).float().mean().item()
angle = torch.atan2(points[:, 1], points[:, 0])
covered = torch.histc(angle, 16, -math.pi, math.pi).gt(10).float().mean().item()
print('near the ring: %.3f, of the ring covered: %.3f' % (near, covered))
print('score: %.4f' % (near * covered))
