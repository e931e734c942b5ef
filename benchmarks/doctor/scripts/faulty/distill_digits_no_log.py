"""Distillation: a wide teacher, then a small student that learns from its soft answers."""
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 42)))
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    torch.tensor(X / 16.0, dtype=torch.float32), torch.tensor(y), test_size=0.25, random_state=0
)
train_loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)


def make_teacher():
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(256, 256), nn.ReLU(),
        nn.Linear(256, 10),
    )


def make_student():
    return nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))


def evaluate(model):
    model.eval()
    with torch.no_grad():
        return (model(X_test).argmax(1) == y_test).float().mean().item()


def train_teacher(teacher, epochs=8):
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-3)
    for _ in range(epochs):
        teacher.train()
        for inputs, labels in train_loader:
            optimizer.zero_grad()
            F.cross_entropy(teacher(inputs), labels).backward()
            optimizer.step()


def distill(teacher, student, epochs=15, T=3.0, alpha=0.7):
    optimizer = torch.optim.Adam(student.parameters(), lr=4e-3)
    teacher.eval()
    for epoch in range(epochs):
        student.train()
        running_loss = 0.0
        for inputs, labels in train_loader:
            with torch.no_grad():
                teacher_logits = teacher(inputs)
            student_logits = student(inputs)
            soft = F.kl_div(
                F.softmax(student_logits / T, dim=1),
                F.softmax(teacher_logits / T, dim=1),
                reduction="batchmean",
            ) * T * T
            hard = F.cross_entropy(student_logits, labels)
            loss = alpha * soft + (1 - alpha) * hard
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        mean = running_loss / len(train_loader)
        print(f"epoch {epoch + 1:2d}  loss {mean:.4f}  test {evaluate(student):.4f}")


teacher, student = make_teacher(), make_student()
train_teacher(teacher)
print(f"teacher {evaluate(teacher):.4f}")
distill(teacher, student)
