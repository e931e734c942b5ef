# Time series: an LSTM reads sine waves and goes on alone.  Optimised by L-BFGS with a closure.
import argparse
import math

import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self, hidden=20):
        super(Sequence, self).__init__()
        self.hidden = hidden
        self.lstm = nn.LSTMCell(1, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), self.hidden, dtype=torch.double)
        c_t = torch.zeros(input.size(0), self.hidden, dtype=torch.double)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm(input_t, (h_t, c_t))
            output = self.linear(h_t)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm(output, (h_t, c_t))
            output = self.linear(h_t)
            outputs += [output]
        return torch.cat(outputs, dim=1)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--steps', type=int, default=6, help='steps to run')
    parser.add_argument('--seed', type=int, default=0)
    opt = parser.parse_args()
    torch.manual_seed(opt.seed)
    # 24 waves of 60 points, shifted at random
    start = torch.rand(24, 1, dtype=torch.double) * 40
    data = torch.sin((torch.arange(60, dtype=torch.double) + start) * 2 * math.pi / 20)
    input, target = data[4:, :-21], data[4:, 1:-20]
    test_input, test_target = data[:4, :-21], data[:4, 1:]
    seq = Sequence()
    seq.double()
    criterion = nn.MSELoss()
    optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=12)
    for i in range(opt.steps):
        print('STEP: ', i)

        def closure():
            out = seq(input)
            loss = criterion(out, target)
            loss.backward()
            return loss

        loss = optimizer.step(closure)
        print('loss at the start of the step: %.6f' % loss.item())
        with torch.no_grad():
            pred = seq(test_input, future=20)
            test_loss = criterion(pred, test_target)
            print('test loss: %.6f' % test_loss.item())
    print('R2 of the continuation: %.4f' % (
        1 - (pred - test_target)[:, -20:].pow(2).mean() / test_target[:, -20:].var()))
