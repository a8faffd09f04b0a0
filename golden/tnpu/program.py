"""What `compile` gives: both queues, the regions, the memory image."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from golden.tnpu.assemble import (
    Instruction,
    descriptor_bytes,
    instruction_beats,
    queue_bytes,
    values,
)
from golden.tnpu.network import Network, Parameters
from golden.tnpu.regions import PAGE, Region, Weights
from golden.tnpu.schedule import Block
from hw.tnpu.config import TNPUConfig


@dataclass(frozen=True)
class Piece:
    """A block's instructions in a queue; `instance` resolves their regions."""

    block: Block
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Program:
    """A batch: its queues as pieces that share instructions, and where everything lies."""

    config: TNPUConfig
    network: Network
    schedule: str
    batch: int
    live: int
    queues: dict[str, list[Piece]]
    regions: dict[str, Region]
    base: int                   # of the image
    end: int                    # of the last region
    descriptor_at: int
    queue_at: dict[str, int] = field(default_factory=dict)

    @property
    def share_c(self) -> int:
        """Of 256 parts of the bus PU-c's own; 0: one bus for both units."""
        return self.config.share_c if self.schedule == "separate" else 0

    def count(self, unit: str) -> int:
        return sum(len(piece.instructions) for piece in self.queues[unit])

    @cached_property
    def words(self) -> dict[str, list[dict[str, int]]]:
        """Every instruction's fields, per queue. For programs small enough to run."""
        return {unit: [values(one, self.address(one, piece.block.instance, unit))
                       for piece in pieces for one in piece.instructions]
                for unit, pieces in self.queues.items()}

    def address(self, one: Instruction, instance: int, unit: str) -> int:
        if not one.transfer:
            return 0
        if one.region == "queue":
            return self.queue_at[unit]
        return self.regions[one.region].address(instance) + one.fields["address"]

    def descriptor(self) -> bytes:
        """The descriptor in memory, its CRC included."""
        return descriptor_bytes({
            "queue_c": self.queue_at["c"], "count_c": self.count("c"), "offset": 0,
            "queue_f": self.queue_at["f"], "count_f": self.count("f"),
            "share_c": self.share_c}, self.config.memory_bits)

    def image(self, parameters: Parameters, inputs: np.ndarray, targets: np.ndarray
              ) -> np.ndarray:
        """Memory before the start, uint8 from `base` on: queues, tensors, zeros elsewhere."""
        out = np.zeros(self.end - self.base, np.uint8)

        def put(address: int, data: np.ndarray) -> None:
            body = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
            out[address - self.base:address - self.base + len(body)] = body
        self.put_queues(out)
        self.put_data(put, inputs, targets)
        for n in range(len(self.network.layers)):
            for name, tensor in ((f"w{n}", parameters.weights[n]),
                                 (f"b{n}", parameters.biases[n]),
                                 (f"vw{n}", parameters.weight_velocities[n]),
                                 (f"vb{n}", parameters.bias_velocities[n])):
                put(self.regions[name].base, self.regions[name].shape.pack(tensor))
        return out

    def put_queues(self, memory: np.ndarray) -> None:
        """This program's instructions into memory, uint8 from `base` on."""
        for unit, words in self.words.items():
            body = queue_bytes(words, self.config.memory_bits)
            at = self.queue_at[unit] - self.base
            memory[at:at + len(body)] = body

    def put_data(self, put: object, inputs: np.ndarray, targets: np.ndarray) -> None:
        """A batch's inputs and targets, through put(address, array)."""
        assert callable(put)
        if len(inputs) != self.batch or len(targets) != self.batch:
            raise ValueError(f"the batch must have {self.batch} instances, not {len(inputs)} "
                             f"inputs and {len(targets)} targets")
        for name, tensors in (("input", inputs), ("target", targets)):
            region = self.regions[name]
            for n, tensor in enumerate(tensors):
                put(region.address(n), region.shape.pack(tensor))

    def tensor(self, memory: np.ndarray, name: str, instance: int = 0) -> np.ndarray:
        """A region's tensor out of memory (uint8 from `base` on)."""
        region = self.regions[name]
        at = region.address(instance) - self.base
        return region.shape.unpack(memory[at:at + region.shape.values * 4].view(np.float32))

    def parameters(self, memory: np.ndarray) -> Parameters:
        """Weights, biases and velocities out of memory."""
        def read(prefix: str) -> list[np.ndarray]:
            out = []
            for n in range(len(self.network.layers)):
                value = self.tensor(memory, f"{prefix}{n}")
                out.append(value if isinstance(self.regions[f"{prefix}{n}"].shape, Weights)
                           else value.reshape(-1))
            return out
        return Parameters(read("w"), read("b"), read("vw"), read("vb"))


def place_queues(program_base: int, counts: dict[str, int], cfg: TNPUConfig
                 ) -> tuple[dict[str, int], int]:
    """Addresses of the queues, each on pages of its own, and where they end."""
    at, out = program_base + PAGE, {}
    for unit, count in counts.items():
        out[unit] = at
        size = count * instruction_beats(cfg.memory_bits) * cfg.word_bytes
        at += -(-size // PAGE) * PAGE
    return out, at
