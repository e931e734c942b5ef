"""torchrun --nproc-per-node 2 ddp_gloo.py"""
import os

import torch
import torch.distributed as dist
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def main():
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    seed = int(os.environ.get("SEED", 0))
    torch.set_num_threads(1)
    torch.manual_seed(seed)

    d = load_digits()
    x = torch.tensor(d.data / 16, dtype=torch.float32)
    y = torch.tensor(d.target)
    p = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    train = TensorDataset(x[p[:1400]], y[p[:1400]])
    sampler = DistributedSampler(train, shuffle=True, seed=seed)
    loader = DataLoader(train, batch_size=32, sampler=sampler)

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    ddp_model = DDP(model)
    optimizer = torch.optim.SGD(ddp_model.parameters(), lr=0.1, momentum=0.9)
    scheduler = ExponentialLR(optimizer, gamma=0.8)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(10):
        sampler.set_epoch(epoch)
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = loss_fn(ddp_model(xb), yb)
            loss.backward()
            optimizer.step()
            scheduler.step()
        average = loss.detach().clone()
        dist.all_reduce(average)
        if rank == 0:
            print(f"epoch {epoch} loss {average.item() / world:.4f}", flush=True)

    dist.barrier()
    if rank == 0:
        with torch.no_grad():
            acc = (ddp_model.module(x[p[1400:]]).argmax(1) == y[p[1400:]]).float().mean().item()
        torch.save(ddp_model.module.state_dict(), "ddp.pt")
        print(f"accuracy {acc:.4f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
