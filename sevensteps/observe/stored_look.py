"""A look as JSON text and safetensors bytes, as a run folder keeps it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import safetensors.torch
from torch import Tensor

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Change, Look, Signal
from sevensteps.observe.part_gradients import PartGradients
from sevensteps.observe.samples import MAX_SAMPLES as MAX_SAMPLES
from sevensteps.observe.step_account import StepAccount

# names that the run folder has for fields of a `Look`, where they are others
FILE_NAMES = {"leftover_gradient": "left", "output_gradient": "slope"}
LOOK_RECORDS: dict[str, Any] = {
    "calls": Call,
    "loss_terms": LossTerm,
    "part_gradients": PartGradients,
}
LOOK_TENSORS = ("output", "target", "output_gradient")
LOOK_TENSOR_GROUPS = ("outputs", "output_gradients")  # tensors by their path


def serialize_look(look: Look) -> tuple[str, bytes]:
    """One look as JSON text and as safetensors bytes."""
    numbers, tensors = _pack(look)
    return json.dumps(numbers), safetensors.torch.save(tensors)


def _pack(look: Look) -> tuple[dict[str, Any], dict[str, Tensor]]:
    tensors: dict[str, Tensor] = {}
    own_forms = ("signals", "changes", "networks", "account")
    apart = (*own_forms, *LOOK_TENSORS, *LOOK_TENSOR_GROUPS, *LOOK_RECORDS)
    numbers: dict[str, Any] = {
        FILE_NAMES.get(f.name, f.name): getattr(look, f.name)
        for f in dataclasses.fields(look)
        if f.name not in apart
    }
    for name in LOOK_RECORDS:
        numbers[name] = [record.to_dict() for record in getattr(look, name)]
    # the output and the layers of several networks are in the looks at them
    alone = not look.networks
    for name in LOOK_TENSORS:
        if alone and (tensor := getattr(look, name)) is not None:
            tensors[FILE_NAMES.get(name, name)] = tensor.contiguous()
    for name in LOOK_TENSOR_GROUPS:
        group_of_tensors = getattr(look, name) if alone else {}
        numbers[name] = list(group_of_tensors)
        for index, tensor in enumerate(group_of_tensors.values()):
            tensors[f"{name}.{index}"] = tensor.clone()  # one of them is the output itself
    numbers["account"] = look.account and look.account.to_dict()
    numbers["networks"] = {}
    for index, (network, own) in enumerate(look.networks.items()):
        numbers["networks"][network], own_tensors = _pack(own)
        tensors |= {f"networks.{index}.{key}": tensor for key, tensor in own_tensors.items()}
    for group in ("signals", "changes"):
        numbers[group] = {}
        measurements = getattr(look, group) if alone else {}
        for index, (name, measured) in enumerate(measurements.items()):
            numbers[group][name] = {}
            for f in dataclasses.fields(measured):
                value = getattr(measured, f.name)
                if isinstance(value, Tensor):
                    tensors[f"{group}.{index}.{f.name}"] = value.detach().cpu().contiguous()
                elif value is not None:
                    numbers[group][name][f.name] = value
    return numbers, tensors


def deserialize_look(text: str, content: bytes) -> Look:
    """The look that `serialize_look` wrote. Raises `ValueError`, `KeyError` or `TypeError` for
    anything else.
    """
    numbers = json.loads(text)
    try:
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as failure:
        raise ValueError(str(failure)) from None
    return _unpack(numbers, tensors)


def _unpack(numbers: dict[str, Any], tensors: dict[str, Tensor]) -> Look:
    kinds: dict[str, Any] = {"signals": Signal, "changes": Change}
    for group, kind in kinds.items():
        for index, (name, scalars) in enumerate(numbers[group].items()):
            own = {
                key.rpartition(".")[2]: tensor
                for key, tensor in tensors.items()
                if key.startswith(f"{group}.{index}.")
            }
            numbers[group][name] = kind(**scalars, **own)
    numbers["lr"] = tuple(numbers["lr"])
    for name, record in LOOK_RECORDS.items():  # none in files of earlier versions
        numbers[name] = tuple(record.from_dict(one) for one in numbers.get(name, ()))
    numbers["shapes"] = {name: tuple(shape) for name, shape in numbers["shapes"].items()}
    for field_name, file_name in FILE_NAMES.items():
        if file_name in numbers:
            numbers[field_name] = numbers.pop(file_name)
    for name in LOOK_TENSORS:
        if (file_name := FILE_NAMES.get(name, name)) in tensors:
            numbers[name] = tensors[file_name]
    # the rest is not in older files
    for name in LOOK_TENSOR_GROUPS:
        paths = numbers.get(name, [])
        numbers[name] = {path: tensors[f"{name}.{i}"] for i, path in enumerate(paths)}
    if (account := numbers.get("account")) is not None:
        numbers["account"] = StepAccount.from_dict(account)
    networks = numbers.pop("networks", {})
    look = Look(**numbers)
    for index, (network, own_numbers) in enumerate(networks.items()):
        start = f"networks.{index}."
        own = {key[len(start) :]: t for key, t in tensors.items() if key.startswith(start)}
        look.networks[network] = _unpack(own_numbers, own)
    if networks:
        look.merge_signals()
        if look.shown:
            look.show(look.shown)
    return look
