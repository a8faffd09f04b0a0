"""``sparseforge compare``: designs side by side on one LAYER, as plain data and as a page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from sparseforge.report.text import cell, percent

COLUMNS = ("cycles", "cycles_layer", "utilization", "bound_compute", "bound_memory",
           "dense_cycles", "speedup")


def rows(answer: Mapping[str, Any]) -> list[list[Any]]:
    """One row for each design: its name, then COLUMNS."""
    return [[name, *(percent(one[key]) if key == "utilization" else one[key] for key in COLUMNS)]
            for name, one in answer["designs"].items()]


def page(answer: Mapping[str, Any]) -> str:
    """A page that needs nothing else: the table, a bar for each layer and design, the command."""
    body = [f"<h1>{html.escape(str(answer['layer']))}</h1>",
            f"<p>{html.escape(str(answer['source']))}; memory "
            f"{html.escape(str(answer['memory']))}</p>",
            _table(["design", *COLUMNS], rows(answer))]
    for name, one in answer["designs"].items():
        body += [f"<h2>{html.escape(name)}</h2>", "<p>Waterfall, in cycles; the parts sum to the "
                 f"cycles ({cell(one['cycles'])}).</p>", _bars(
                     {p["name"]: p["cycles"] for p in one["waterfall"]})]
        if len(one["layers"]) > 1:
            body += ["<p>Speed-up over the dense design, by layer.</p>",
                     _bars({part["name"]: part["speedup"] or 0 for part in one["layers"]})]
    body.append(f"<p>Made by <code>{html.escape(answer['command'])}</code></p>")
    return (f"<!doctype html><html lang=en><meta charset=utf-8><title>sparseforge: "
            f"{html.escape(str(answer['layer']))}</title><style>{_STYLE}</style>"
            + "\n".join(body) + "</html>\n")


_STYLE = """body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse}
td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}
td:first-child,th:first-child{text-align:left}.bar{background:#37c;height:1em}.minus{background:#bbb}
.bars td{border:0;padding:.1em .6em}"""


def _table(head: list[str], body: list[list[Any]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(cell(v))}</td>" for v in line) + "</tr>"
              for line in body]
    return f"<table>{''.join(lines)}</table>"


def _bars(values: Mapping[str, float]) -> str:
    most = max([abs(v) for v in values.values()] + [1e-9])
    lines = []
    for name, value in values.items():
        width = 30 * abs(value) / most
        kind = "bar minus" if value < 0 else "bar"
        lines.append(f"<tr><td>{html.escape(name)}</td><td>{html.escape(cell(float(value)))}</td>"
                     f"<td><div class='{kind}' style='width:{width:.2f}em'></div></td></tr>")
    return f"<table class=bars>{''.join(lines)}</table>"
