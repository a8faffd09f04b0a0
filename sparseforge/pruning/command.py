"""What `sparseforge prune` does: a trained network, a shape with synthetic weights, or a tensor."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from golden.cambricon_s.compression import FLOAT, Sizes, sizes, total
from golden.cambricon_s.convergence import convergence, matrix
from golden.cambricon_s.irregularity import Irregularity, fine_mask, irregularity
from golden.cambricon_s.irregularity import total as total_irregularity
from golden.cambricon_s.pruning import FINE, Block, Pruning, prune
from golden.cambricon_s.quantise import GLOBAL, Submatrices, check_bits, quantise
from golden.formats import jbig
from golden.formats.coarse_grain import compress
from sparseforge import progress
from sparseforge.files import made_folder
from sparseforge.networks import NAMES, network
from sparseforge.networks.network import DIGITS
from sparseforge.pruning import of_file, plots, stored, study, synthetic
from sparseforge.pruning.networks import RECIPES, Plan, Recipe
from sparseforge.report import text

WINDOW = 4          # of the local convergence statistic
SWEPT = [FINE, Block(fout=4), Block(fout=8), Block(fout=16), Block(fin=2, fout=16),
         Block(fin=4, fout=16), Block(fin=8, fout=32)]
NO_JBIG = "irregularity left out: pbmtojbg is not installed (apt-get install jbigkit-bin)"


@dataclass(frozen=True)
class Request:
    """The command line, None where nothing is given. Blocks and sub-matrices are numbers."""

    network: str | None = None
    weights: Path | None = None
    layer: str | None = None
    block: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    criterion: str | None = None
    density: float | None = None
    threshold: float | None = None
    bits: int | None = None
    cut: tuple[int, ...] | None = None
    seed: int = 0
    seeds: int = 5
    sweep: bool = False
    folder: Path | None = None

    def as_block(self, default: Block) -> Block:
        given = default
        if self.block is not None:
            given = Block(**dict(zip(("fin", "fout", "kx", "ky"), self.block, strict=True)))
        if self.stride is not None:
            given = replace(given, **dict(zip(("step_fin", "step_fout", "step_kx", "step_ky"),
                                              self.stride, strict=True)))
        return given

    def as_cut(self, default: Submatrices) -> Submatrices:
        return default if self.cut is None else Submatrices(outputs=self.cut[0],
                                                            inputs=self.cut[1])


def run(request: Request, console: Console) -> dict[str, Any]:
    """Prints for a person; the same as plain data. ValueError on a request that cannot be met."""
    if (request.network is None) == (request.weights is None):
        raise ValueError("prune must be given one of --network NAME and --weights W.npy")
    if request.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, not {request.seeds}")
    if request.bits is not None:
        check_bits(request.bits)
    if request.weights is not None:
        return _tensor(request, console)
    name = str(request.network)
    if name.endswith(".onnx"):
        return _file(request, Path(name), console)
    if name in RECIPES:
        return _trained(request, RECIPES[name], console)
    known = [n for n in NAMES if n != DIGITS]
    if name not in known:
        raise ValueError(f"--network must be one of {', '.join([*RECIPES, *known])} or FILE.onnx, "
                         f"not {name}")
    return _synthetic(request, console)


def _folder(request: Request, name: str) -> Path:
    return made_folder(request.folder or Path("build/prune") / name)


def _plans(request: Request, recipe: Recipe) -> list[Plan]:
    """The recipe with what the command line changes, in one layer or in all but the last."""
    names = [plan.layer.name for plan in recipe.plans]
    if request.layer is not None and request.layer not in names:
        raise ValueError(f"--layer must be one of {recipe.name}'s layers ({', '.join(names)}), "
                         f"not {request.layer}")
    wanted = [request.layer] if request.layer else names[:-1]
    plans = []
    for plan in recipe.plans:
        if plan.layer.name in wanted:
            how = plan.pruning
            if request.density is not None or request.threshold is not None:
                how = replace(how, density=request.density, threshold=request.threshold)
            how = replace(how, block=request.as_block(how.block),
                          criterion=request.criterion or how.criterion)     # type: ignore[arg-type]
            plan = Plan(plan.layer, how, request.bits or plan.bits, request.as_cut(plan.cut))
            _fits(plan)
        plans.append(plan)
    return plans


def _fits(plan: Plan) -> None:
    """Refuses a block that no tensor of the layer's shape holds, before anything is trained."""
    prune(np.ones(plan.layer.weights_shape, np.float32),
          replace(plan.pruning, density=1.0, threshold=None), plan.layer.name)


def _trained(request: Request, recipe: Recipe, console: Console) -> dict[str, Any]:
    plans = _plans(request, recipe)
    place = _folder(request, recipe.name)
    runs = study.seeds(plans, recipe.effort, request.seeds, request.seed)
    first = runs[0]
    accuracy = {stage: study.spread([r.accuracy[stage] for r in runs]) for stage in study.STAGES}
    data: dict[str, Any] = {
        "network": recipe.name, "source": "trained here, held-out images",
        "plans": [study.plan_as_dict(plan) for plan in plans], "seeds": request.seeds,
        "first_seed": request.seed, "accuracy": accuracy,
        "neurons_alive": {name: study.spread([r.neurons[n] for r in runs]) for n, name in
                          enumerate(["inputs", *(p.layer.name for p in plans)])},
        "sizes": {kind: _sizes_as_dict(first.sizes[kind]) for kind in first.sizes}}
    measured = _irregularities([p.layer.name for p in plans], first.fine, first.masks)
    data["irregularity"] = measured
    data["convergence"] = {
        plan.layer.name: {"trained": convergence(matrix(w), WINDOW).variance_ratio,
                          "initial": convergence(matrix(s), WINDOW).variance_ratio}
        for plan, w, s in zip(plans, first.dense.weights, first.start.weights, strict=True)
        if min(matrix(w).shape) >= WINDOW}
    if request.sweep:
        data["sweep"] = study.sweep(plans, SWEPT, recipe.effort, request.seeds, request.seed)
    stored.save(place / f"{recipe.name}.npz", plans, first.books, first.integers,
                accuracy=first.accuracy, seed=first.seed)
    files = [place / f"{recipe.name}.npz"]
    for plan, book in zip(plans, first.books, strict=True):
        if plan.pruning.block.steps == plan.pruning.block.sides:
            files.append(place / f"{plan.layer.name}.coarse")
            files[-1].write_bytes(compress(book, plan.pruning.block))
    files += _draw(place, recipe, plans, runs, data)
    data["files"] = [str(f) for f in files]
    _say_trained(console, recipe, data)
    return data


def _file(request: Request, path: Path, console: Console) -> dict[str, Any]:
    for option, given in (("bits", request.bits), ("submatrix", request.cut),
                          ("sweep", request.sweep or None)):
        if given is not None:
            raise ValueError(f"--{option} must come with a network that is trained here "
                             f"({', '.join(RECIPES)}), not with --network {path}")
    recipe, net = of_file.read(path)
    plans, out = _plans(request, recipe), _folder(request, recipe.name) / path.name
    if out.absolute() == path.absolute():
        raise ValueError(f"--out must not be the folder of --network {path}")
    with progress.working(f"pruning {path}"):
        data = {"network": str(path), "source": "trained weights, held-out images",
                "seed": request.seed,
                **of_file.prune(plans, net, recipe.effort, request.seed, out),
                "files": [str(out)]}
    console.print(text.table(f"{path}: pruned in blocks, trained again", (
        "layer", "block", "synapses", "kept", "density"), [
            (one["name"], one["block"], one["synapses"], one["kept"], text.percent(one["density"]))
            for one in data["layers"]]))
    shares = ", ".join(f"{stage} {text.percent(share)}"
                       for stage, share in data["accuracy"].items())
    console.print(f"accuracy on held-out images: {shares}", highlight=False)
    console.print(f"written: {out}", highlight=False)
    return data


def _draw(place: Path, recipe: Recipe, plans: Sequence[Plan], runs: Sequence[study.Seed],
          data: dict[str, Any]) -> list[Path]:
    import matplotlib
    matplotlib.use("Agg")
    first = runs[0]
    largest = max(range(len(plans)), key=lambda n: first.masks[n].size)
    name = plans[largest].layer.name
    shown = {plan.layer.name: (convergence(matrix(w), WINDOW), convergence(matrix(s), WINDOW))
             for plan, w, s in zip(plans, first.dense.weights, first.start.weights, strict=True)
             if min(matrix(w).shape) >= WINDOW}
    files = [plots.bitmaps(place / "index.png", matrix(first.fine[largest]),
                           matrix(first.masks[largest]), f"{recipe.name}, {name}: its index")]
    if shown:
        files.append(plots.local_convergence(place / "convergence.png", shown, recipe.name))
    if "sweep" in data:
        files.append(plots.sweep(place / "sweep.png", data["sweep"],
                                 data["accuracy"]["dense"]["all"],
                                 f"{recipe.name}: block sizes at equal density, "
                                 f"{data['seeds']} seeds"))
    return files


def _irregularities(names: Sequence[str], fine: Sequence[np.ndarray],
                    coarse: Sequence[np.ndarray]) -> dict[str, Any] | None:
    if shutil.which(jbig.ENCODER) is None:
        return None
    parts = [irregularity(a, b) for a, b in zip(fine, coarse, strict=True)]
    return _irregularity_as_dict(names, parts)


def _irregularity_as_dict(names: Sequence[str], parts: list[Irregularity]) -> dict[str, Any]:
    return {"layers": {name: part.as_dict() for name, part in zip(names, parts, strict=True)},
            "total": total_irregularity(parts).as_dict()}


def _sizes_as_dict(parts: Sequence[Sizes]) -> dict[str, Any]:
    return {"layers": [part.as_dict() for part in parts], "total": total("all", parts).as_dict()}


def _synthetic(request: Request, console: Console) -> dict[str, Any]:
    for name in ("layer", "block", "stride", "criterion", "threshold", "bits", "cut"):
        if getattr(request, name) is not None:
            option = "submatrix" if name == "cut" else name
            raise ValueError(f"--{option} must come with --weights or a network that is trained "
                             f"({', '.join(RECIPES)}), not with --network {request.network}")
    if request.density is not None and not 0 < request.density <= 1:
        raise ValueError(f"--density must be above 0 and at most 1, not {request.density}")
    net = network(str(request.network))
    measure = shutil.which(jbig.ENCODER) is not None
    with progress.working(f"compressing {net.name}"):
        parts = synthetic.network_sizes(net, request.seed, request.density, jbig=measure)
    names = [part.layer.name for part in parts]
    data: dict[str, Any] = {
        "network": net.name, "source": f"synthetic weights, seed {request.seed}: for sizes only",
        "blocks": {p.layer.name: str(p.block) for p in parts},
        "sizes": {"local": _sizes_as_dict([p.local for p in parts]),
                  "global": _sizes_as_dict([p.single for p in parts])},
        "irregularity": _irregularity_as_dict(
            names, [p.irregularity for p in parts if p.irregularity]) if measure else None}
    _say_sizes(console, f"{net.name}: {data['source']}", data)
    return data


def _tensor(request: Request, console: Console) -> dict[str, Any]:
    for name in ("layer", "sweep"):
        if getattr(request, name):
            raise ValueError(f"--{name} must come with --network, not with --weights")
    if request.density is None and request.threshold is None:
        raise ValueError("--weights must come with --density or --threshold")
    weights, block = _load(request.weights), request.as_block(FINE)
    how = Pruning(block=block, criterion=request.criterion or "average",  # type: ignore[arg-type]
                  density=request.density, threshold=request.threshold)
    mask = prune(weights, how, f"--weights {request.weights}")
    place = _folder(request, "tensor")
    files = [place / "mask.npy", place / "pruned.npy"]
    np.save(files[0], mask)
    data: dict[str, Any] = {
        "weights": str(request.weights), "shape": list(weights.shape), "block": str(block),
        "criterion": how.criterion, "synapses": mask.size, "kept": int(mask.sum()),
        "density": float(mask.mean()), "source": "files"}
    left = weights * mask
    if request.bits is not None:
        q = quantise(weights, mask, request.bits, request.as_cut(GLOBAL))
        left = q.look_up()
        data["quantisation_error"] = float(np.square((weights - left)[mask]).mean())
        if block.steps == block.sides:
            fine = fine_mask(weights, int(mask.sum()))
            data["sizes"] = {"local": _sizes_as_dict([sizes("weights", q, block, fine)])}
            files.append(place / "weights.coarse")
            files[-1].write_bytes(compress(q, block))
    np.save(files[1], left)
    data["irregularity"] = _irregularities(["weights"], [fine_mask(weights, int(mask.sum()))],
                                           [mask])
    data["files"] = [str(f) for f in files]
    console.print(text.table(f"{request.weights}: {list(weights.shape)}, blocks of {block}",
                             ("synapses", "kept", "density"),
                             [(mask.size, data["kept"], data["density"])]))
    if "sizes" in data:
        _say_sizes(console, "sizes", data)
    elif data["irregularity"]:
        _say_irregularity(console, data["irregularity"])
    console.print(f"written: {', '.join(data['files'])}", highlight=False)
    return data


def _load(path: Path | None) -> np.ndarray:
    """Weights [K, C] or [K, C, R, S], of any real numbers, as float64 [K, C, R, S]."""
    where = f"--weights {path}"
    try:
        values = np.load(str(path), allow_pickle=False)
    except OSError as error:
        raise ValueError(f"{where}: must be a readable file: "
                         f"{error.strerror or 'not in NumPy format'}") from None
    except (ValueError, EOFError):
        raise ValueError(f"{where}: must be a .npy file of numbers") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        raise ValueError(f"{where}: must be one array of numbers")
    if values.ndim not in (2, 4) or not values.size:
        raise ValueError(f"{where}: must be of shape [K, C] or [K, C, R, S], "
                         f"not {list(values.shape)}")
    if not np.isfinite(values).all():
        raise ValueError(f"{where}: must hold finite numbers")
    shape = values.shape if values.ndim == 4 else (*values.shape, 1, 1)
    return values.astype(np.float64).reshape(shape)


def _say_trained(console: Console, recipe: Recipe, data: dict[str, Any]) -> None:
    rows = []
    for stage, found in data["accuracy"].items():
        rows.append((stage, *(text.percent(found[k]) for k in ("mean", "std", "min", "max"))))
    console.print(text.table(
        f"{recipe.name}: {recipe.title}; accuracy on held-out images, {data['seeds']} seeds",
        ("stage", "mean", "deviation", "lowest", "highest"), rows))
    console.print("dense: trained as long as the pruned ones; fine- and coarse-grained: at one "
                  "density; global and local: codebooks on coarse-grained; integer: local, "
                  "16-bit integers as the hardware computes them", highlight=False)
    alive = ", ".join(f"{name} {text.percent(n['mean'])}"
                      for name, n in data["neurons_alive"].items())
    console.print(f"neurons with synapses on both sides: {alive}", highlight=False)
    if "sweep" in data:
        console.print(text.table("block sizes at equal density (hidden layers)", (
            "block", "criterion", "mean", "deviation", "lowest"), [
                (row["block"], row["criterion"], *(text.percent(study.spread(row["accuracy"])[k])
                                                   for k in ("mean", "std", "min")))
                for row in data["sweep"]]))
    for name, found in data["convergence"].items():
        console.print(f"local convergence of {name}: variance of large weights per {WINDOW} × "
                      f"{WINDOW} window × {found['trained']:.2f} (as initialised × "
                      f"{found['initial']:.2f})", highlight=False)
    _say_sizes(console, f"{recipe.name}, seed {data['first_seed']}", data)
    console.print(f"written: {', '.join(data['files'])}", highlight=False)


def _say_sizes(console: Console, head: str, data: dict[str, Any]) -> None:
    for kind, found in data["sizes"].items():
        rows = [_size_row(part) for part in found["layers"]]
        console.print(text.table(
            f"{head}; codebooks: {kind}; bytes",
            ("layer", "density", "dense", "W_p", "W_q", "W_c", "bits", "coded bits", "index",
             "fine index", "ratio"), rows, _size_row(found["total"])))
    console.print(f"W_p pruned ({FLOAT} bytes a weight), W_q indices and codebooks, W_c the same "
                  "Huffman-coded; ratio: dense / (W_c + index)", highlight=False)
    if data["irregularity"]:
        _say_irregularity(console, data["irregularity"])
    else:
        console.print(NO_JBIG, highlight=False)


def _size_row(part: dict[str, Any]) -> tuple[Any, ...]:
    return (part["name"], text.percent(part["density"]), part["dense"], part["w_p"], part["w_q"],
            part["w_c"], part["weight_bits"], part["coded_bits"], part["index_best"],
            part["fine_index_best"], f"{part['ratio_c']:.1f}×")


def _say_irregularity(console: Console, found: dict[str, Any]) -> None:
    rows = [(name, p["raw"], p["fine"], p["coarse"], f"{p['r_irr']:.2f}×")
            for name, p in {**found["layers"], "all": found["total"]}.items()]
    console.print(text.table("irregularity: JBIG of the index at equal density, bytes",
                             ("layer", "raw", "fine-grained", "coarse-grained", "R_irr"), rows))
