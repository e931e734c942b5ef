# Character model with a state that is carried from batch to batch (truncated BPTT).
import argparse
import random

import torch
import torch.nn as nn

WHO = ["the cat", "a small dog", "my old aunt", "the neighbour", "nobody"]
DOES = ["sees", "looks for", "paints", "hears", "remembers"]
WHAT = ["the moon", "a red house", "the green door", "seven apples", "rain"]


def write(rng, sentences):
    return " ".join(
        "{} {} {}.".format(rng.choice(WHO), rng.choice(DOES), rng.choice(WHAT))
        for _ in range(sentences)
    )


class CharRNN(nn.Module):
    def __init__(self, n_chars, n_hidden=48):
        super().__init__()
        self.embedding = nn.Embedding(n_chars, 16)
        self.rnn = nn.GRU(16, n_hidden, batch_first=True)
        self.decoder = nn.Linear(n_hidden, n_chars)

    def forward(self, chars, state=None):
        out, state = self.rnn(self.embedding(chars), state)
        return self.decoder(out), state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--bptt", type=int, default=25)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    torch.manual_seed(args.seed)

    text, held_out = write(rng, 900), write(rng, 80)
    chars = sorted(set(text))
    index = {c: i for i, c in enumerate(chars)}
    encode = lambda s: torch.tensor([index[c] for c in s])

    # 16 streams side by side, each read from its start to its end
    data = encode(text)
    data = data[: len(data) // 16 * 16].view(16, -1)
    model = CharRNN(len(chars))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(4):
        state, total, count = None, 0.0, 0
        for i in range(0, data.size(1) - args.bptt - 1, args.bptt):
            x, y = data[:, i:i + args.bptt], data[:, i + 1:i + 1 + args.bptt]
            logits, state = model(x, state)
            loss = criterion(logits.reshape(-1, len(chars)), y.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5)
            optimizer.step()
            total, count = total + loss.item(), count + 1
        print(f"epoch {epoch} perplexity {torch.tensor(total / count).exp():.3f}")

    with torch.no_grad():
        ids = encode(held_out)[None]
        logits, _ = model(ids[:, :-1])
        acc = (logits.argmax(-1) == ids[:, 1:]).float().mean().item()
        seed_text, state = "the", None
        out = encode(seed_text)[None]
        for _ in range(40):
            logits, state = model(out, state)
            out = logits[:, -1].argmax(-1, keepdim=True)
            seed_text += chars[out.item()]
    print("sample:", seed_text)
    print(f"next character: {acc:.4f}")


if __name__ == "__main__":
    main()
