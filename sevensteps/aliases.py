"""Other names for a step's value, as other libraries and books have them, and how it is written
here.

A recipe is written in one way only. What people type first is rewritten to that, where it can mean
only one thing.
"""

from __future__ import annotations

import ast
import re

# by step: another name, in small letters without `_` -> the value, or the name of what is called
NAMES: dict[str, dict[str, str]] = {
    "initialize": {
        "random": "normal",
        "randn": "normal",
        "gaussian": "normal",
        "rand": "uniform",
        "zero": "zeros",
        "one": "ones",
        "he": "kaiming_normal",
        "kaiming": "kaiming_normal",
        "henormal": "kaiming_normal",
        "heuniform": "kaiming_uniform",
        "xavier": "xavier_normal",
        "glorot": "xavier_normal",
        "glorotnormal": "xavier_normal",
        "glorotuniform": "xavier_uniform",
        "lecun": "lecun_normal",
        "pytorch": "pytorch_default",
    },
    "predict": {
        "perceptron": 'neuron("step")',
        "logistic": "linear",
        "logisticregression": "linear",
        "linearregression": "linear",
        "quadratic": "polynomial(2)",
        "simplenet": "mlp(30)",
        "nn": "mlp",
        "net": "mlp",
        "dense": "mlp",
        "convnet": "cnn",
        "conv": "cnn",
    },
    "loss": {
        "mse": "mean_squared_error",
        "mseloss": "mean_squared_error",
        "l2": "mean_squared_error",
        "l2loss": "mean_squared_error",
        "mae": "mean_absolute_error",
        "l1": "mean_absolute_error",
        "l1loss": "mean_absolute_error",
        "smoothl1": "huber",
        "smoothl1loss": "huber",
        "huberloss": "huber",
        "bce": "binary_cross_entropy",
        "bceloss": "binary_cross_entropy",
        "bcewithlogits": "binary_cross_entropy",
        "bcewithlogitsloss": "binary_cross_entropy",
        "ce": "cross_entropy",
        "crossentropy": "cross_entropy",
        "crossentropyloss": "cross_entropy",
        "logloss": "cross_entropy",
        "nll": "negative_log_likelihood",
        "nllloss": "negative_log_likelihood",
    },
    "gradient": {
        "backprop": "chain_rule",
        "backpropagation": "chain_rule",
        "backward": "autograd",
        "numerical": "finite_differences",
        "numeric": "finite_differences",
        "finitedifference": "finite_differences",
        "perceptron": "perceptron_rule",
    },
    "step": {
        "gd": "sgd",
        "gradientdescent": "sgd",
        "onecycle": "one_cycle",
        "cosineannealing": "cosine",
        "warmup": "linear_warmup",
    },
    "repeat": {
        "batch": "batches",
        "minibatch": "batches",
        "minibatches": "batches",
        "full": "full_batch",
        "all": "full_batch",
    },
    "stop": {
        "epoch": "epochs",
        "steps": "max_steps",
        "step": "max_steps",
        "iterations": "max_steps",
        "time": "seconds",
        "second": "seconds",
        "earlystopping": "patience",
        "loss": "loss_below",
        "acc": "accuracy",
    },
}
ARGUMENTS = {
    "step": {
        "learning_rate": "lr",
        "rate": "lr",
        "eta": "lr",
        "wd": "weight_decay",
        "mom": "momentum",
    },
    "predict": {"activation_function": "activation", "act": "activation", "p": "dropout"},
    "repeat": {"batch_size": "size", "bs": "size"},
}
OTHER_ARGUMENTS = {other: here for names in ARGUMENTS.values() for other, here in names.items()}
# a keyword of other libraries -> what is written here, with its value
KEYWORDS = {
    "lr": "step=ss.sgd(lr={})",
    "learning_rate": "step=ss.sgd(lr={})",
    "optimizer": 'step="{}"',
    "momentum": "step=ss.sgd(momentum={})",
    "weight_decay": "step=ss.adamw(weight_decay={})",
    "epochs": "stop=ss.epochs({})",
    "n_epochs": "stop=ss.epochs({})",
    "max_epochs": "stop=ss.epochs({})",
    "patience": "stop=ss.patience({})",
    "max_steps": "stop=ss.max_steps({})",
    "batch_size": "repeat=ss.batches({})",
    "bs": "repeat=ss.batches({})",
    "hidden": "predict=ss.mlp({})",
    "model": "predict={!r}",
    "network": "predict={!r}",
    "net": "predict={!r}",
    "init": 'initialize="{}"',
    "loss_fn": "loss={!r}",
    "loss_func": "loss={!r}",
    "criterion": "loss={!r}",
}
# a number, or several, where a call was meant
NUMBERS = {
    "predict": "mlp({})",
    "step": "sgd(lr={})",
    "repeat": "batches({})",
    "stop": "epochs({})",
}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "adagrad")  # whose lr has to be named


def keyword_text(name: str, item: object) -> str | None:
    """The keyword that is written here for one of other libraries; None where there is none.

    >>> keyword_text("epochs", 5)
    'stop=ss.epochs(5)'
    """
    form = KEYWORDS.get(name)
    plain = isinstance(item, int | float | str)
    return None if form is None else form.format(item if plain else "…")


def rewrite(step: str, text: str) -> str:
    """`text` as a value of `step` is written here; `text` itself where nothing is to be changed.

    >>> rewrite("loss", "mse"), rewrite("step", "sgd(learning_rate=0.1)")
    ('mean_squared_error()', 'sgd(lr=0.1)')
    >>> rewrite("stop", "epochs(40) or 5"), rewrite("predict", "mlp(30)")
    ('epochs(40) | epochs(5)', 'mlp(30)')
    """
    parts = re.split(r"\s*\|\|?\s*|\s+or\s+", text.strip()) if step == "stop" else [text.strip()]
    rewritten = [_rewrite_one(step, part) for part in parts]
    return text if rewritten == parts and len(parts) < 2 else " | ".join(rewritten)


def _rewrite_one(step: str, text: str) -> str:
    if step in NUMBERS and re.fullmatch(rf"{NUMBER}(\s*[,x]\s*{NUMBER})*", text, re.IGNORECASE):
        numbers = re.findall(NUMBER, text, re.IGNORECASE)
        if len(numbers) == 1 or step == "predict":
            return NUMBERS[step].format(", ".join(numbers))
    loose = re.fullmatch(rf"([A-Za-z_]\w*)\s*[= ]\s*({NUMBER})", text, re.IGNORECASE)
    counted = re.fullmatch(rf"({NUMBER})\s*([A-Za-z_]\w*)", text, re.IGNORECASE)
    if loose and step in NUMBERS:  # `epochs=5`, `lr=0.1`
        name, number = loose.groups()
        lr = ARGUMENTS["step"].get(name.lower(), name) == "lr"
        text = f"sgd(lr={number})" if step == "step" and lr else f"{name}({number})"
    elif counted and step == "stop":  # `5 epochs`
        text = f"{counted[2]}({counted[1]})"
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
    changed = _Renamer(step).visit(tree)
    if isinstance(changed, ast.Name):
        return f"{changed.id}()" if changed.id != text else text
    return ast.unparse(changed).replace("'", '"') if ast.dump(changed) != _dump(text) else text


def _dump(text: str) -> str:
    return ast.dump(ast.parse(text, mode="eval").body)


class _Renamer(ast.NodeTransformer):
    """Replaces other names, of values and of arguments, in a value of one step."""

    def __init__(self, step: str) -> None:
        self.names, self.arguments = NAMES.get(step, {}), ARGUMENTS.get(step, {})

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.parse(self._name(node.id), mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name):
            return node
        name = self._name(node.func.id)
        if "(" in name and not (node.args or node.keywords):
            return ast.parse(name, mode="eval").body
        node.func.id = name.partition("(")[0]
        node.args = [self.visit(item) for item in node.args]
        for keyword in node.keywords:
            keyword.arg = self.arguments.get(keyword.arg or "", keyword.arg)
            keyword.value = self.visit(keyword.value)
        if node.func.id in OPTIMIZERS and len(node.args) == 1:
            node.keywords.insert(0, ast.keyword("lr", node.args.pop()))
        if node.func.id == "batches" and [k.arg for k in node.keywords[:1]] == ["size"]:
            node.args, node.keywords = [node.keywords[0].value], node.keywords[1:]
        return node

    def _name(self, name: str) -> str:
        return self.names.get(name.lower().replace("_", ""), name.lower())
