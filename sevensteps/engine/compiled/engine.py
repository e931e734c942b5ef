"""The gradient and whole stretches of steps as machine code, for dense networks."""

from __future__ import annotations

import itertools
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.engine.compiled import program
from sevensteps.engine.compiled.network_tables import loss_number, missing_compiled, tables
from sevensteps.engine.compiled.optimizers import (
    CompiledUpdate,
    Memory,
    StepValue,
    compiled_update,
)
from sevensteps.engine.compiled.team import Team
from sevensteps.engine.engine import Engine, LayerTrace, LossFunction, refuse_step
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.engine.modules import Neuron
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import ArgumentError, ShapeError


class Arguments(NamedTuple):
    """What `steps.run` takes for many steps."""

    network: program.Network
    samples: program.Samples
    work: program.Workspace
    step: Any
    team: Any
    size: int
    rates: program.Array
    totals: program.Array


class Compiled(Engine):
    """The chain rule written as loops over numbers, compiled by Numba: `take_steps` takes many
    steps without Python in between.

    Dense networks only: linear layers, neurons, activations, dropout. Source: Lam, Pitrou, Seibert
    2015, Numba: A LLVM-based Python JIT Compiler; the chain rule as of `ChainRule`.
    """

    method = "compiled"

    def __init__(
        self, network: nn.Module, loss: LossFunction, reason: str = "", into: Vectors | None = None
    ) -> None:
        refuse_step(network, self.method)
        lacking = missing_compiled(network, loss)
        if lacking:
            raise ArgumentError(f"compiled: {lacking}; use chain_rule() or autograd()")
        super().__init__(network, loss, reason, into)
        from sevensteps.engine.compiled import steps  # Numba is loaded where it is needed

        self._steps = steps
        self._tables = tables(network, self.slices)
        self._team = Team()
        self._spaces: dict[tuple[int, int], list[program.Workspace]] = {}
        self._known: tuple[Tensor, int, Any] | None = None
        self._parts = np.zeros((0, 0), self.parameters.numpy().dtype)
        self._loss = loss_number(loss) or 0

    # -- many steps ------------------------------------------------------------------------------

    def take_steps(
        self,
        x: Tensor,
        y: Tensor,
        rows: Tensor,
        size: int,
        update: CompiledUpdate,
        rates: Tensor,
        clip: float | None = None,
    ) -> Tensor:
        """A step with each `size` of the `rows` [M] of all samples `x` [N, ...] and targets `y`,
        with the learning rates `rates` [⌈M / size⌉]; the last step takes what is left.

        Returns the sum of the losses of each step [k], float64. It ends before the first step whose
        loss is not finite; that sum comes last. `x` holds the network's numbers, or uint8 b for
        exactly b / 255. `gradients` is that of the last step; `trace`, where it is set, gets that
        step's numbers. The same rows give the same bits in one call or in several.
        """
        self._check(x, y, rows)
        size = min(size, len(rows))
        before = self._generator_states()
        masks = self._masks(rows, size)
        samples = self._samples(x, y, rows, masks)
        arguments = self._arguments(samples, size, update, rates, clip)
        judged = self._team.run(
            lambda thread: int(self._steps.run(self._steps.STEPS, *arguments[thread])),
            len(arguments),
            arguments[0].team.state,
        )
        if len(arguments) > 1:
            self.gradients.numpy()[:] = arguments[0].team.gradients[0]
        losses = torch.from_numpy(arguments[0].totals[:judged])
        update.count(judged - int(not bool(losses[-1].isfinite())))
        if judged < len(rates) and self._tables.dropouts:
            self._draw_only(before, rows[: judged * size], size)
        if self.trace is not None:
            self._trace_step(self.trace, x, y, rows, [one.work for one in arguments])
        return losses

    def update(self, step: StepValue, stepper: Memory) -> CompiledUpdate | None:
        """The step of a value of step 5 as `take_steps` takes it; None where it is none that is
        written as machine code.
        """
        return compiled_update(step, stepper)

    def compile(self, x: Tensor, y: Tensor, size: int, update: CompiledUpdate) -> float:
        """Make sure that what `take_steps` needs is machine code; the seconds that compiling took,
        0 where it was done before, on this machine. Nothing is trained or drawn.
        """
        begin = time.perf_counter()
        needed = self.needs_compiling(x, y, size, update)
        self._steps.run(self._steps.STEPS, *self._no_step(x, y, size, update))
        return time.perf_counter() - begin if needed else 0.0

    def needs_compiling(self, x: Tensor, y: Tensor, size: int, update: CompiledUpdate) -> bool:
        """Whether `compile` would take its time, some ten seconds."""
        from sevensteps.engine.compiled import machine_code

        arguments = self._steps.STEPS, *self._no_step(x, y, size, update)
        return not machine_code.is_ready(self._steps.run, arguments)

    def _no_step(self, x: Tensor, y: Tensor, size: int, update: CompiledUpdate) -> Arguments:
        rows, rates = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.float64)
        masks = self.parameters.new_zeros(0).numpy()
        return self._arguments(self._samples(x, y, rows, masks), size, update, rates, None)[0]

    def _arguments(
        self,
        samples: program.Samples,
        size: int,
        update: CompiledUpdate,
        rates: Tensor,
        clip: float | None,
    ) -> list[Arguments]:
        """What each thread gets."""
        most, multiplications = torch.get_num_threads(), self._tables.multiplications
        threads = program.threads_of(size, multiplications, most)
        step = update.step(self._steps, self.parameters, clip)
        state, sums = np.zeros(48, np.int64), np.zeros((threads, 16))
        gradients, totals = self._gradients(threads), np.zeros(len(rates))
        network = self._network()
        return [
            Arguments(
                network,
                samples,
                space,
                step,
                self._steps.Team(thread, threads, most, multiplications, state, sums, gradients),
                size,
                rates.numpy(),
                totals,
            )
            for thread, space in enumerate(self._workspaces(-(-size // threads), threads))
        ]

    def _check(self, x: Tensor, y: Tensor, rows: Tensor) -> None:
        if len(rows) == 0 or int(rows.min()) < 0 or int(rows.max()) >= min(len(x), len(y)):
            raise ShapeError(f"rows must be some of the {len(x)} samples, not {rows.tolist()[:9]}")
        if x.dtype != torch.uint8:
            self._entrance.check(x, self.parameters)

    def _samples(self, x: Tensor, y: Tensor, rows: Tensor, masks: program.Array) -> program.Samples:
        return program.Samples(self._flat(x).numpy(), *self._targets(y), rows.numpy(), masks)

    def _targets(
        self, y: Tensor, output: Tensor | None = None
    ) -> tuple[program.Array, program.Array]:
        """Targets as class indices [N] or as numbers [N, O], one of them empty. Checked once: an
        index beyond the outputs would be read beyond the memory.
        """
        if self._known is None or self._known[0] is not y or self._known[1] != y._version:
            outputs, number = int(self._tables.layers[-1, program.OUTPUTS]), self.parameters.dtype
            if output is None:
                output = self.parameters.new_zeros(1, outputs).expand(len(y), outputs)
            self.loss_function.check(output, y)  # type: ignore[attr-defined]
            indices, numbers = torch.zeros(0, dtype=torch.int64), torch.zeros(0, 1, dtype=number)
            if y.ndim == 1:
                indices = y.long().contiguous()
                low, high = int(indices.min()), int(indices.max())
                if low < 0 or high >= outputs:
                    raise ShapeError(
                        f"targets go from {low} to {high}; the network has {outputs} outputs, for "
                        f"0 to {outputs - 1}"
                    )
            else:
                numbers = y.to(number).contiguous()
            self._known = y, y._version, (indices.numpy(), numbers.numpy())
        known: tuple[program.Array, program.Array] = self._known[2]
        return known

    def _masks(self, rows: Tensor, size: int) -> program.Array:
        """What dropout multiplies by, in the order in which single steps would draw it. Rows of the
        tables say which layers do at all.
        """
        masks = []
        for index, module in self._tables.dropouts:
            row = self._tables.layers[index]
            row[program.CODE] = int(module.training and module.p > 0)
            masks.append(self.parameters.new_empty(len(rows), int(row[program.INPUTS])))
        for first in range(0, len(rows), size):
            for (_, module), mask in zip(self._tables.dropouts, masks, strict=True):
                part = mask[first : first + size]
                drawn = module.mask(part)
                if drawn is not None:
                    part.copy_(drawn)
        flat = torch.cat([self.parameters.new_empty(0), *(mask.flatten() for mask in masks)])
        numbers: program.Array = flat.numpy()
        return numbers

    def _generator_states(self) -> list[tuple[torch.Generator, Tensor]]:
        generators = {id(m.generator): m.generator for _, m in self._tables.dropouts}
        return [(g, g.get_state()) for g in generators.values() if g is not None]

    def _draw_only(
        self, before: list[tuple[torch.Generator, Tensor]], rows: Tensor, size: int
    ) -> None:
        """Leave the generators as if only the steps with these rows had drawn masks."""
        for generator, state in before:
            generator.set_state(state)
        self._masks(rows, size)

    # -- one batch, as with every engine ---------------------------------------------------------

    def _forward(self, x: Tensor) -> Tensor:
        rows = torch.arange(len(x))
        nothing = np.zeros(0, np.int64), np.zeros((0, 1), self.parameters.numpy().dtype)
        self._batch = program.Samples(
            self._flat(x).numpy(), *nothing, rows.numpy(), self._masks(rows, len(x))
        )
        self._space = self._workspaces(len(x), 1)[0]
        self._run(self._steps.PREDICT)
        output = self._numbers(self._space.values, -1, len(x))
        if self.trace is not None:
            self._trace_outputs(self.trace, x, [self._space], [len(x)])
        return output

    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        indices, numbers = self._targets(target, output)
        self._batch = self._batch._replace(indices=indices, numbers=numbers)
        self._run(self._steps.LOSS)
        return torch.from_numpy(self._space.losses[: len(output)].copy())

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        if share != 1:
            self._numbers(self._space.slopes, -1, len(output), copy=False).mul_(share)
        before = self.gradients.clone() if add else None
        self._run(self._steps.GRADIENT)
        if before is not None:
            self.gradients.add_(before)
        if self.trace is not None:
            self._trace_slopes(self.trace, [self._space], [len(output)])

    def _run(self, part: int) -> None:
        nothing = np.zeros(0, self.parameters.numpy().dtype)
        step = self._steps.Step(0, np.zeros(0), nothing, nothing, 0, 0.0)
        team = self._steps.Team(
            0, 1, 1, 1, np.zeros(48, np.int64), np.zeros((1, 16)), self.gradients.numpy()[None]
        )
        none = np.zeros(0)
        self._steps.run(part, self._network(), self._batch, self._space, step, team, 1, none, none)

    # -- what the machine code works on ----------------------------------------------------------

    def _network(self) -> program.Network:
        table = self._tables
        frozen = [p.detach().flatten() for p in table.frozen]
        return program.Network(
            table.layers,
            table.settings,
            table.first,
            table.by_rows,
            self._loss,
            float(getattr(self.loss_function, "delta", 0.0)),
            self.parameters.numpy(),
            torch.cat([self.parameters.new_empty(0), *frozen]).numpy(),
        )

    def _flat(self, x: Tensor) -> Tensor:
        """The samples as rows [N, F], side by side."""
        flat = x.flatten(1) if self._tables.flattens else x
        if flat.ndim != 2 or flat.shape[1] != self._tables.inputs:
            raise ShapeError(
                f"inputs {list(x.shape)} are not [samples, {self._tables.inputs}]; begin the "
                "network with nn.Flatten()"
            )
        return flat.contiguous()

    def _workspaces(self, samples: int, threads: int) -> list[program.Workspace]:
        """Room for so many samples in each thread; that of the last two sizes is kept."""
        key = program.columns(samples), threads
        if key not in self._spaces:
            while len(self._spaces) > 1:
                self._spaces.pop(next(iter(self._spaces)))
            table, number = self._tables, self.parameters.numpy().dtype
            padded = -(-table.inputs // program.LANES) * program.LANES
            rows = key[0] if table.by_rows else 1
            self._spaces[key] = [
                program.Workspace(
                    np.zeros((rows, padded), number),
                    np.zeros(table.units * key[0], number),
                    np.zeros(table.units * key[0], number),
                    np.zeros(key[0], number),
                    np.zeros((max(table.widest, 64), 64), number),
                    np.zeros(table.widest, number),
                )
                for _ in range(threads)
            ]
        return self._spaces[key]

    def _gradients(self, threads: int) -> program.Array:
        """A vector of gradients for each thread [threads, P]; the first is `gradients` itself where
        there is one.
        """
        if threads == 1:
            return self.gradients.numpy()[None]
        if len(self._parts) != threads:
            self._parts = np.zeros((threads, self.size), self.parameters.numpy().dtype)
        return self._parts

    # -- what can be looked at -------------------------------------------------------------------

    def _numbers(self, block: program.Array, index: int, samples: int, copy: bool = True) -> Tensor:
        """[samples, units] of the outputs of one layer, from a block of a workspace."""
        row, place = self._tables.layers[index], program.columns(samples)
        begin, units = int(row[program.OUTPUT]), int(row[program.OUTPUTS])
        numbers = torch.from_numpy(block[begin * place : (begin + units) * place])
        here = numbers.view(units, place)[:, :samples].T
        return here.clone(memory_format=torch.contiguous_format) if copy else here

    def _trace_outputs(
        self, trace: LayerTrace, x: Tensor, spaces: list[program.Workspace], counts: list[int]
    ) -> None:
        """Every layer's output; of a linear layer before a ReLU that is the ReLU's, as in
        `ChainRule`.
        """
        kinds = [type(module) for _, module in named_layers(self.network)]
        names, index = [name for name, _ in named_layers(self.network)], 0
        for name, kind, after in zip(names, kinds, [*kinds[1:], None], strict=True):
            if kind is nn.Flatten:
                trace.outputs[name] = x.flatten(1)
                continue
            if not (kind in (nn.Linear, Neuron) and after is nn.ReLU):
                trace.outputs[name] = self._gathered(index, [w.values for w in spaces], counts)
            index += 1

    def _trace_slopes(
        self, trace: LayerTrace, spaces: list[program.Workspace], counts: list[int]
    ) -> None:
        """dL/d(output) of every layer from the first that is trained."""
        slopes = [space.slopes for space in spaces]
        for index in range(self._tables.first, len(self._tables.layers)):
            name = self._tables.names[index]
            trace.output_gradients[name] = self._gathered(index, slopes, counts)
        trace.output_gradient = self._gathered(-1, slopes, counts)

    def _trace_step(
        self,
        trace: LayerTrace,
        x: Tensor,
        y: Tensor,
        rows: Tensor,
        spaces: list[program.Workspace],
    ) -> None:
        table, most = self._tables, torch.get_num_threads()
        threads = program.threads_of(len(rows), table.multiplications, most)
        spaces = spaces[:threads]
        edges = [len(rows) * thread // threads for thread in range(threads + 1)]
        counts = [end - begin for begin, end in itertools.pairwise(edges)]
        trace.input, trace.target = x[rows], y[rows]
        if x.dtype == torch.uint8:
            trace.input = trace.input.to(self.parameters.dtype) / 255
        self._trace_outputs(trace, trace.input, spaces, counts)
        self._trace_slopes(trace, spaces, counts)
        trace.output = self._gathered(-1, [space.values for space in spaces], counts)

    def _gathered(self, index: int, blocks: list[program.Array], counts: list[int]) -> Tensor:
        """[samples, units] of one layer, from the parts that the threads have."""
        parts = zip(blocks, counts, strict=True)
        return torch.cat([self._numbers(block, index, count) for block, count in parts])
