"""What Fig. 7 hangs on and the paper does not give: buffers, FC weights' transfers and reuse.

All in the closed form of `golden/tnpu/estimate.py`, over the instructions that `compile` gives.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from golden.tnpu import estimate
from golden.tnpu.compile import compile
from golden.tnpu.estimate import Cost
from hw.tnpu.config import PRESETS, TNPUConfig
from sparseforge.reproduce.tnpu_networks import NETWORKS, benchmark, macs

BATCH = 50
PAPER = PRESETS["paper"]
BUFFERS = ("x_words_c", "w_words_c", "s_words_c", "x_words_f", "w_words_f", "s_words_f")
SIZES = (64, 128, 256, 512, 1024, 2176, 8192, 36864)        # KB
MOST = 1 << 16                                              # words: their addresses have 16 bits


@cache
def costs(name: str, cfg: TNPUConfig = PAPER, fc_gradients: str = "memory"
          ) -> dict[tuple[str, str], Cost]:
    """What an instance asks of each unit."""
    if fc_gradients != "batch":
        return estimate.phases(compile(benchmark(name), cfg, 2, fc_gradients=fc_gradients))
    out = estimate.phases(compile(benchmark(name), cfg, BATCH, fc_gradients=fc_gradients))
    whole = out["f", "GD"]          # of the batch
    out["f", "GD"] = Cost(*(value // BATCH for value in (
        whole.compute, whole.beats, whole.products, whole.accesses)))
    return out


def rate(cfg: TNPUConfig) -> float:
    return cfg.rate_beats / cfg.rate_cycles


def multiplexed(part: dict[tuple[str, str], Cost], words: float, cfg: TNPUConfig = PAPER
                ) -> float:
    """DaDianNao's order: convolutions on all rows; `words` of the bus per cycle."""
    return estimate.instance(part, "time_multiplexed", words, pool=estimate.pooled(cfg))


def ratios(part: dict[tuple[str, str], Cost], cfg: TNPUConfig = PAPER) -> dict[str, float]:
    """SOSM over its rivals."""
    sosm = estimate.instance(part, "sosm", rate(cfg))
    return {"dadiannao": multiplexed(part, rate(cfg), cfg) / sosm,
            "dnpu": estimate.instance(part, "separate", rate(cfg)) / sosm}


def kilobytes(cfg: TNPUConfig) -> int:
    """All buffers: S has two banks."""
    words = sum(getattr(cfg, name) * (2 if name[0] == "s" else 1) for name in BUFFERS)
    return words * cfg.word_bytes // 1024


def sized(total: int) -> TNPUConfig:
    """`paper` with buffers of some `total` KB, in the same proportions."""
    factor = total / kilobytes(PAPER)
    return replace(PAPER, **{name: max(2 * PAPER.lanes, min(
        MOST // PAPER.lanes if name == "x_words_f" else MOST,
        int(getattr(PAPER, name) * factor) // PAPER.lanes * PAPER.lanes)) for name in BUFFERS})


def buffers() -> dict[str, Any]:
    """Which ratios of Fig. 7 move with the buffers (closed form)."""
    rows: list[dict[str, Any]] = []
    for name in NETWORKS:
        for total in SIZES:
            cfg = sized(total)
            row: dict[str, Any] = {"network": name, "kb": kilobytes(cfg), "dadiannao": None,
                                   "dnpu": None, "conv_bus": None, "refused": ""}
            try:
                part = costs(name, cfg)
            except ValueError as error:
                row["refused"] = str(error).split(":")[0]
            else:
                conv = sum((part["c", phase] for phase in ("FP", "BP", "GD")), Cost())
                row |= ratios(part, cfg)
                row["conv_bus"] = conv.beats / rate(cfg) / conv.compute
            rows.append(row)
    return {"rows": rows, "cause": "conv_bus is the convolutions' time on the bus over their time "
            "in PU-c: buffers matter as long as it is near 1 or above. FC layers' words are their "
            "weights and pass once whatever the buffers are: no size makes up for them."}


def gradients() -> dict[str, Any]:
    """FC gradients in memory, or formed once per batch: Fig. 7's ratios (closed form)."""
    rows = []
    for name in NETWORKS:
        row: dict[str, Any] = {"network": name}
        for mode in ("memory", "batch"):
            part = costs(name, PAPER, mode)
            weights = sum(layer.weight_count for layer in benchmark(name).layers
                          if layer.is_fc) / PAPER.lanes
            row[f"w_{mode}"] = sum(part["f", phase].beats
                                   for phase in ("FP", "BP", "GD")) / weights
            row |= {f"{rival}_{mode}": ratio for rival, ratio in ratios(part).items()}
        rows.append(row)
    return {"rows": rows, "cause": "w: words over PU-f's bus per instance, over its weights "
            "(instructions, vectors and padding included)."}


def reuse() -> dict[str, Any]:
    """What the paper leaves out: FC weights read once for b instances."""
    rows, pooled = [], PAPER.lanes / PAPER.multipliers      # PU-f's work on the whole grid
    for name in NETWORKS:
        net, part = benchmark(name), costs(name)
        conv = sum((part["c", phase] for phase in ("FP", "BP", "GD")), Cost())
        words = sum(layer.weight_count for layer in net.layers[net.convs:]) / PAPER.lanes
        for transfers in (4, 3, 2):
            row: dict[str, Any] = {"network": name, "w": transfers}
            for b in (1, 5, 50):
                moved = transfers * words / b
                t_c = max(conv.compute * (1 - pooled), conv.beats / rate(PAPER))
                t_f = max(moved / rate(PAPER), 3 * words * pooled)
                sosm = max(conv.compute, 3 * words, (conv.beats + moved) / rate(PAPER))
                row[f"b{b}"] = (t_c + t_f) / sosm
            rows.append(row)
    return {"rows": rows, "cause": "Over DaDianNao's order, its 272 multipliers one pool. w "
            "weight-sized transfers per instance, FC weights reused over b instances: T_c + T_f "
            "against the larger of computing and bus. What is read once for several instances "
            "leaves nothing to hide behind the convolutions, and PU-f's 16 multipliers become the "
            "bound where FC layers are many: the speed-up of TNPU is that of FC weights that "
            "nobody reuses."}


def ideal() -> dict[str, Any]:
    """The arithmetic of the paper's own terms: full use of 256 multipliers, a free conv bus."""
    rows = []
    for name in NETWORKS:
        net = NETWORKS[name]()
        conv, _ = macs(net)
        t_c = (3 * conv - net.layers[0].macs) / PAPER.lanes**2
        words = sum(layer.weight_count for layer in net.layers[net.convs:]) / PAPER.lanes
        row: dict[str, Any] = {"network": name, "t_c": t_c}
        for w in (2, 3, 4):
            t_f = w * words / rate(PAPER)
            row[f"w{w}"] = (t_c * 256 / 272 + t_f) / max(t_c, t_f)
        rows.append(row)
    return {"rows": rows, "cause": "At w = 3 VGG16 comes to the paper's 1.13×: its machine moves "
            "three weight-sized transfers per instance, with buffers that hide the convolutions'."}
