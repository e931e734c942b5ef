import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split


def load(seed):
    features, target = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        features, target, test_size=0.3, stratify=target, random_state=seed
    )
    as_tensors = [torch.as_tensor(a, dtype=torch.float32) for a in (x_train, x_test)]
    return *as_tensors, torch.as_tensor(y_train), torch.as_tensor(y_test)
