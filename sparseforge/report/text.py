"""Reports for people: tables, and the waterfall as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from sparseforge.report.result import Figures

BAR = 40    # characters of the longest bar


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]],
          end: Sequence[Any] | None = None) -> Table:
    """A table: words to the left, figures to the right. `end` is a row of totals."""
    out = Table(title=title, title_justify="left", show_footer=end is not None)
    for i, name in enumerate(columns):
        words = i == 0 or any(isinstance(row[i], str) and row[i][:1].isalpha() for row in rows)
        out.add_column(name, justify="left" if words else "right", overflow="fold",
                       footer=cell(end[i]) if end else "")
    for row in rows:
        out.add_row(*map(cell, row))
    return out


def cell(value: Any) -> str:
    """A figure as text: thousands apart, three digits of a fraction."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


COLUMNS = ("layer", "cycles", "utilization", "weights", "activations", "bound compute",
           "bound memory", "dense cycles", "speed-up")


def row(part: Figures) -> list[Any]:
    about = part.about
    dense = part.dense.cycles if part.dense else None
    return [part.name, part.cycles, percent(part.utilization),
            *(percent(about[key]) if key in about else None
              for key in ("weight_density", "activation_density")),
            part.bound_compute, part.bound_memory, dense,
            None if part.speedup is None else f"{part.speedup:.2f}×"]


def waterfall(console: Console, part: Figures) -> None:
    """From the ideal dense cycles down to what is left, then up by each loss, to the cycles."""
    console.print("where the cycles go (multipliers' time, in cycles)")
    longest = max(part.slots, part.macs_dense, 1)
    reached = 0
    for step in [*part.waterfall(), None]:
        name, slots = (step.name, step.slots) if step else ("cycles", part.slots)
        start = 0 if step is None else min(reached, reached + slots)
        reached += slots if step else 0
        left, size = (round(BAR * n / longest) for n in (start, abs(slots)))
        mark = "█" if step is None or slots >= 0 else "░"
        text = " " * left + mark * max(size, 1 if slots else 0)
        console.print(f"  {name:<20} {slots / part.multipliers:>14,.0f}  {text}",
                      highlight=False)
        for inner, count in part.splits.get(name, {}).items():
            console.print(f"    {inner:<20}   {count / part.pes:>10,.0f}", highlight=False)


def run(console: Console, head: str, total: Figures, parts: Sequence[Figures]) -> None:
    """A run: its layers, totals, bounds and waterfall."""
    several = len(parts) > 1
    end = row(total) if several else None
    console.print(table(head, COLUMNS, [row(part) for part in parts], end))
    dense = total.dense
    if dense:
        console.print(f"{dense.name} with {dense.multipliers} multipliers: {dense.cycles:,} cycles;"
                      f" every one of {total.multipliers} busy on dense data: "
                      f"{total.ideal_cycles:,}; on the non-zeros alone: {total.bound_compute:,}",
                      highlight=False)
    if not several:
        console.print(f"from start to irq {total.cycles:,} cycles, without the first load and the "
                      f"last store {total.cycles_layer:,}; shift {total.about.get('shift')}",
                      highlight=False)
    array = total.array
    if array:
        console.print(f"in the array alone, buffers and memory aside: "
                      f"{total.counts['array_cycles']:,} cycles, "
                      f"{array.get('array_speedup', 0):.2f}×; its multipliers busy "
                      f"{percent(array['mac_busy'])}, its DSs {percent(array['ds_busy'])}",
                      highlight=False)
    waterfall(console, total)
    for remark in total.about.get("remarks", ()):
        console.print(remark, highlight=False)
