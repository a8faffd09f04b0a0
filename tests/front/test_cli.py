"""The command line: every verb and form on a fake design, JSON, exit statuses, refusals."""

import json
import subprocess
import sys

import numpy as np
import pytest

from golden.dense.dcnn import dcnn_cycles, largest_tile
from golden.layers import Layer
from sparseforge import cli, registry
from sparseforge.networks import network
from tests.front.fake import Fake


@pytest.fixture
def fake(monkeypatch):
    """Makes a Fake the only design."""
    def install(**how):
        monkeypatch.setattr(registry, "designs", lambda: {"fake": Fake(**how)})
    install()
    return install


@pytest.fixture
def run(capsys):
    """Runs the command: (status, JSON or text of stdout, stderr)."""
    def call(line, *more):
        status = cli.run([*line.split(), *map(str, more)])
        captured = capsys.readouterr()
        text = captured.out
        return status, json.loads(text) if "--json" in line else text, captured.err
    return call


SHAPE = "--shape 4,6,5,8,3,2 --weight-density 0.5 --activation-density 0.25"
FIELDS = {"design", "config", "layer", "cycles", "cycles_layer", "stalls", "macs_dense",
          "macs_effectual", "macs_done", "utilization", "occupancy", "bound_compute",
          "bound_memory", "dense_cycles", "dense_multipliers", "speedup", "shift", "waterfall",
          "memory", "layers"}


def test_list(fake, run):
    status, data, _ = run("list --json")
    assert status == 0
    assert data["designs"]["fake"]["presets"]["small"]["pes"] == 1
    assert data["networks"]["alexnet"]["layers"][1] == "conv2"
    status, text, _ = run("list")
    assert status == 0
    assert "fake" in text
    assert "googlenet" in text


def test_model_has_every_field(fake, run):
    status, data, err = run(f"model fake {SHAPE} --json")
    assert (status, err) == (0, "")
    assert set(data) >= FIELDS
    layer = Layer(c=4, h=6, w=5, k=8, r=3, s=2)
    assert data["macs_dense"] == layer.macs
    assert data["bound_compute"] == -(-data["macs_effectual"] // 4)
    assert data["utilization"] == data["macs_effectual"] / (4 * data["cycles"])
    assert data["cycles"] == data["bound_compute"] + 64
    assert data["bound_memory"] == 3
    assert data["dense_cycles"] == dcnn_cycles(layer, 4, 1, 1)
    assert data["speedup"] == data["dense_cycles"] / data["cycles_layer"]
    assert data["config"] == {"preset": "paper", "pes": 4, "acc_bits": 24, "name": "x",
                              "fast": False, "scale": 1.0}
    assert data["passes"] == 1
    assert data["memory"] == {"latency": 64, "outstanding": 8, "bandwidth": [1, 1]}


def test_the_waterfall_sums_to_the_cycles(fake, run):
    _, data, _ = run(f"model fake {SHAPE} --json")
    parts = data["waterfall"]
    assert [p["name"] for p in parts] == ["ideal dense", "zeros skipped", "fragment", "load"]
    assert sum(p["slots"] for p in parts) == 4 * data["cycles"]
    assert parts[0]["slots"] == data["macs_dense"]
    assert parts[0]["slots"] + parts[1]["slots"] == data["macs_effectual"]


def test_text_reports(fake, run):
    status, text, _ = run(f"model fake {SHAPE}")
    assert status == 0
    assert "zeros skipped" in text
    assert "░" in text
    status, text, _ = run("model fake --network lenet5")
    assert status == 0
    assert "conv2" in text
    status, text, _ = run(f"sim fake {SHAPE}")
    assert "0 outputs differ" in text


def test_memory_options(fake, run):
    _, data, _ = run(f"model fake {SHAPE} --latency 9 --bandwidth 1/4 --json")
    assert data["cycles"] == data["bound_compute"] + 9
    assert data["bound_memory"] == 12


def test_config_in_its_order(fake, run, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('preset = "small"\nacc_bits = 30\nscale = 2\n')
    _, data, _ = run(f"model fake {SHAPE} --json --config", file, "--set", "acc_bits=0x28",
                     "--set", "fast=True", "--set", "name=7")
    assert data["config"] == {"preset": "small", "pes": 1, "acc_bits": 40, "name": "7",
                              "fast": True, "scale": 2.0}
    _, data, _ = run(f"model fake {SHAPE} --json --preset paper --config", file)
    assert (data["config"]["pes"], data["config"]["acc_bits"]) == (4, 30)


def test_a_network_in_a_chain_and_layer_by_layer(fake, run):
    _, data, _ = run("model fake --network lenet5 --json")
    assert data["source"] == "synthetic, a chain"
    assert [x["name"] for x in data["layers"]] == ["conv1", "conv2", "fc1", "fc2"]
    assert data["cycles"] == sum(x["cycles"] for x in data["layers"])
    assert data["compared"]["layers"] == ["conv1", "conv2"]
    _, data, _ = run("model fake --network alexnet --layer conv3 --json")
    assert (data["layer"], data["source"]) == (
        "alexnet/conv3", "synthetic, densities 0.35 and 0.52, seed 0")
    one = data["layers"][0]
    assert (one["weight_density"], one["activation_density"]) == pytest.approx(
        (0.35, 0.52), abs=1e-4)
    assert data["macs_dense"] == network("alexnet").pick("conv3")[0].layer.macs


def test_a_network_of_branches(fake, run, monkeypatch):
    """GoogLeNet's first and last layers stand for all of them."""
    net = network("googlenet")
    short = type(net)(net.name, net.title, net.entries[1:2] + net.entries[-2:], False, net.compared)
    monkeypatch.setattr("sparseforge.workload.network", lambda name: short)
    _, data, _ = run("model fake --network googlenet --json")
    assert data["source"] == "synthetic, layer by layer"
    assert len(data["layers"]) == 3
    assert data["cycles"] == sum(x["cycles"] for x in data["layers"])
    assert len(data["compared"]["layers"]) == 2


def test_any_layer_options_change_a_network_s_layer(fake, run):
    _, data, _ = run("model fake --network lenet5 --layer conv1 --relu --shift 3 --out-bits 9 "
                     "--product-shift 1 --pool avg,3,2,1 --batch 2 --weight-density 0.5 --json")
    shape = data["layers"][0]["shape"]
    assert (shape["relu"], shape["shift"], shape["out_bits"], shape["product_shift"],
            shape["batch"]) == (True, 3, 9, 1, 2)
    assert shape["pool"] == {"kind": "avg", "k": 3, "s": 2, "pad": 1, "ceil_mode": False}
    assert data["layers"][0]["weight_density"] == 0.5


def test_the_trained_network(fake, run):
    _, data, _ = run("model fake --network digits --batch 2 --seed 5 --json")
    assert data["source"] == "trained weights, held-out images, a chain"
    assert [x["shape"]["batch"] for x in data["layers"]] == [2, 2, 2]
    _, one, _ = run("model fake --network digits --layer conv2 --batch 2 --seed 5 --json")
    assert one["macs_effectual"] == data["layers"][1]["macs_effectual"]
    status, _, err = run("model fake --network digits --weight-density 0.5")
    assert (status, "--weight-density must come with --shape" in err) == (2, True)


def save(tmp_path, **arrays):
    return {name: (np.save(tmp_path / f"{name}.npy", value), tmp_path / f"{name}.npy")[1]
            for name, value in arrays.items()}


@pytest.fixture
def own(tmp_path):
    rng = np.random.default_rng(0)
    return save(tmp_path, w=rng.integers(-9, 10, (4, 2, 3, 2)), a=rng.integers(0, 9, (4, 7, 6)),
                b=rng.integers(-5, 5, 4))


@pytest.mark.parametrize("verb", ["sim", "model"])
def test_own_tensors_and_their_output(fake, run, own, tmp_path, verb):
    out = tmp_path / "out.npy"
    status, data, err = run(f"{verb} fake --stride 2 --pad 1 --groups 2 --relu --json --weights",
                            own["w"], "--activations", own["a"], "--bias", own["b"],
                            "--output", out)
    assert (status, err) == (0, "")
    got, w, b = np.load(out), np.load(own["w"]), np.load(own["b"])
    a = np.pad(np.load(own["a"]), ((0, 0), (1, 1), (1, 1)))
    assert got.shape == (4, 4, 4)
    assert data["shift"] == 0
    for k, y, x in np.ndindex(got.shape):
        group = 2 * (k // 2)
        window = a[group:group + 2, 2 * y:2 * y + 3, 2 * x:2 * x + 2]
        assert got[k, y, x] == max(0, (window * w[k]).sum() + b[k])
    assert {p.name for p in tmp_path.iterdir()} == {"w.npy", "a.npy", "b.npy", "out.npy"}


def test_sim_reports_the_model_and_the_mismatches(fake, run):
    status, data, _ = run(f"sim fake {SHAPE} --json")
    assert status == 0
    assert (data["mismatches"], data["simulator"]) == (0, "verilator")
    assert data["model_cycles"] == data["cycles"]
    assert data["wall_s"] >= 0
    fake(wrong=3)
    status, data, err = run(f"sim fake {SHAPE} --json")
    assert (status, data["mismatches"]) == (1, 3)
    assert "3 outputs differ from golden's" in err
    fake(late=2)
    status, data, err = run(f"sim fake {SHAPE} --json")
    assert (status, data["cycles"] - data["model_cycles"]) == (1, 2)
    assert (f"layer: cycles {data['cycles']} in the RTL, {data['model_cycles']} in the model; layer"
            ": load ") in err


def test_figures_that_cannot_be_are_a_failure(fake, run):
    fake(lie=1)
    status, out, err = run(f"model fake {SHAPE}")
    assert (status, out) == (1, "")
    assert "the figures cannot be right: the causes sum to" in err


def test_verilog(fake, run, tmp_path):
    status, data, _ = run("verilog fake --json -o", tmp_path / "v")
    assert status == 0
    assert {"fake.v", "manifest.json"} <= set(data["files"])
    assert {p.name for p in (tmp_path / "v").iterdir()} == set(data["files"])
    assert all((tmp_path / "v" / name).stat().st_size == size
               for name, size in data["files"].items())


def test_synth(fake, run):
    status, data, err = run("synth fake --json")
    assert (status, err) == (0, "")
    assert data["target"] == "generic"
    assert data["total"]["flipflops"] >= 16                # two entries of eight bits
    assert data["blocks"]["fake"]["instances"] == 1
    status, text, _ = run("synth fake --block fake")
    assert status == 0
    assert "NAND2" in text


def test_compare_writes_a_page(fake, run, tmp_path):
    page = tmp_path / "report.html"
    status, data, _ = run("compare --network lenet5 --json -o", page)
    assert status == 0
    assert set(data["designs"]["fake"]) >= FIELDS - {"shift"}
    text = page.read_text()
    assert f"{data['designs']['fake']['cycles']:,}" in text
    assert "<h2>fake</h2>" in text
    status, text, _ = run("compare --network lenet5 --designs fake")
    assert "speedup" in text


def test_reproduce(fake, run):
    assert run("reproduce fake --json")[:2] == (0, {"table": 1})
    assert run("reproduce fake")[:2] == (0, "table I\n")


REFUSED = [
    ("model nobody", "DESIGN must be one of fake, not nobody"),
    ("model", "Missing argument 'DESIGN'."),
    ("model fake --what", "No such option: --what"),
    ("model fake --stride x --shape 1,1,1,1,1,1", "Invalid value for '--stride'"),
    ("dance", "No such command 'dance'."),
    ("model fake", "LAYER must be one of --network NAME, --shape C,H,W,K,R,S or --weights W.npy "
                   "--activations A.npy, not none of them"),
    ("model fake --network alexnet --shape 1,1,1,1,1,1", "not --network and --shape"),
    ("model fake --network vgg", "--network must be one of alexnet, vgg16,"),
    ("model fake --network alexnet --layer conv9", "--layer must be one of alexnet's layers"),
    ("model fake --network alexnet --pad 1", "--pad must come with --shape or --weights, not with"),
    ("model fake --shape 1,1,1,1,1,1 --layer x", "--layer must come with --network, not with"),
    ("model fake --shape 1,1,1,1,1,1 --bias x", "--bias must come with --weights, not with"),
    ("model fake --network alexnet --output x.npy", "--output must come with one layer"),
    ("model fake --shape 1,2,3", "--shape must be C,H,W,K,R,S, whole numbers, not 1,2,3"),
    ("model fake --shape 1,2,3,4,5,x", "--shape must be C,H,W,K,R,S, whole numbers"),
    ("model fake --shape 1,2,3,4,5,1", "r (5) must be at most the padded plane's side (2 + 0)"),
    ("model fake --shape 3,9,9,4,1,1 --groups 2", "c (3) must be a multiple of groups (2)"),
    ("model fake --shape 1,20,20,4,12,1", "layer: r must be at most 11, not 12"),
    (f"model fake {SHAPE} --pool max,2", "--pool must be max|avg,K,S[,P], not max,2"),
    (f"model fake {SHAPE} --pool sum,2,2", "pool kind must be max or avg, not 'sum'"),
    (f"model fake {SHAPE} --weight-block 1,2", "--weight-block must be FIN,FOUT,KX,KY"),
    ("model fake --shape 1,1,1,1,1,1 --weight-density 2", "weight density must be 0 to 1, not 2.0"),
    (f"model fake {SHAPE} --shift 99", "shift must be 0 to 62, not 99"),
    (f"model fake {SHAPE} --batch 0", "batch must be at least 1, not 0"),
    (f"model fake {SHAPE} --preset big", "preset must be one of paper, small, not big"),
    (f"model fake {SHAPE} --set pes", "--set must be NAME=VALUE, not pes"),
    (f"model fake {SHAPE} --set pse=3",
     "pse must be a parameter of FakeConfig: did you mean pes?"),
    (f"model fake {SHAPE} --set color=3", "color must be a parameter of FakeConfig: there are "
                                          "pes, acc_bits, name, fast, scale"),
    (f"model fake {SHAPE} --set pes=many", "pes must be a whole number, not 'many'"),
    (f"model fake {SHAPE} --set pes=0", "pes must be at least 1, not 0"),
    (f"model fake {SHAPE} --set fast=1", "fast must be true or false, not 1"),
    (f"model fake {SHAPE} --set scale=x", "scale must be a number, not 'x'"),
    (f"model fake {SHAPE} --config nowhere.toml", "--config nowhere.toml: must be a readable file"),
    (f"model fake {SHAPE} --latency 0", "--latency must be at least 1, not 0"),
    (f"model fake {SHAPE} --outstanding 0", "--outstanding must be at least 1, not 0"),
    (f"model fake {SHAPE} --bandwidth 3/2", "--bandwidth must be BEATS/CYCLES with 1 ≤ BEATS"),
    (f"model fake {SHAPE} --bandwidth fast", "--bandwidth must be BEATS/CYCLES, not fast"),
    (f"sim fake {SHAPE} --simulator vcs", "--simulator must be verilator or icarus, not vcs"),
    (f"sim fake {SHAPE} --waves no/where.fst", "--waves no/where.fst: must be in a folder that"),
    (f"sim fake {SHAPE} --waves x.fst --from 9 --to 3", "--from and --to must be 0 ≤ from ≤ to"),
    (f"sim fake {SHAPE} --waves x.fst", "--waves x.fst: must end in .vcd with verilator"),
    (f"model fake {SHAPE} --output no/where.npy", "no/where.npy: must be in a folder that can be"),
    (f"compare {SHAPE} -o no/where.html", "no/where.html: must be in a folder that can be written"),
    (f"compare {SHAPE} --designs fake,nobody", "DESIGN must be one of fake, not nobody"),
    ("model fake --weights none.npy", "--weights W.npy must come with --activations A.npy"),
    ("model fake --weights none.npy --activations none.npy",
     "--weights none.npy: must be a readable file: No such file"),
    ("verilog fake -o /dev/null/x", "/dev/null/x: must be a folder that can be written"),
    ("synth fake --target tsmc7", "target must be generic,"),
    ("synth fake --liberty none.lib", "Liberty file none.lib: there is no such file"),
    ("synth fake --block ppu", "--block must be one of fake, not ppu"),
    ("verilog fake --set pes=-1", "pes must be at least 1, not -1"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_refusals_are_one_line_and_status_2(fake, run, line, message):
    status, out, err = run(line)
    assert (status, out) == (2, "")
    assert err.startswith("sparseforge: ")
    assert message in err
    assert err.count("\n") == 1


def test_config_files_of_the_wrong_kind(fake, run, tmp_path):
    for body, message in (("pes = ", "must be TOML"), ("pes = 2.5", "pes must be of type int, not"),
                          ("fast = 1", "fast must be of type bool, not 1"),
                          ('preset = "big"', "preset must be one of"),
                          ("[x]\npes = 1", "x must be a parameter")):
        (tmp_path / "c.toml").write_text(body)
        status, _, err = run(f"model fake {SHAPE} --config", tmp_path / "c.toml")
        assert (status, err.count("\n")) == (2, 1)
        assert message in err


def test_own_tensors_of_the_wrong_kind(fake, run, own, tmp_path):
    bad = save(tmp_path, flat=np.ones(3, int), nan=np.full((4, 7, 6), np.nan),
               few=np.ones((3, 7, 6), int), wide=np.full((4, 7, 6), 40000),
               long=np.ones(9, int), far=np.full(4, 1 << 30))
    for options, message in (
            (("--weights", bad["flat"], "--activations", own["a"]), "must have 4 dimensions"),
            (("--weights", own["w"], "--activations", bad["nan"]), "NaN is at [0, 0, 0]"),
            (("--weights", own["w"], "--activations", bad["few"]),
             "must have 4 channels (2 of the weights × 2 groups), not 3"),
            (("--weights", own["w"], "--activations", bad["wide"]),
             "must be -32768 to 32767 (16 bits), not 40000"),
            (("--weights", own["w"], "--activations", own["a"], "--bias", bad["long"]),
             "bias must be of shape [4], not [9]".replace("bias ", "bias: ")),
            (("--weights", own["w"], "--activations", own["a"], "--bias", bad["far"]),
             "layer bias: must be -8388608 to 8388607")):
        status, out, err = run("model fake --groups 2", *options)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_overflow_is_refused_or_wraps(fake, run, tmp_path):
    big = save(tmp_path, w=np.full((1, 4, 1, 1), 30000), a=np.full((4, 1, 1), 30000))
    line = ("--weights", big["w"], "--activations", big["a"])
    status, _, err = run("sim fake", *line)
    assert (status, err.count("\n")) == (2, 1)
    assert ("sum 3600000000 at output [0, 0, 0] must fit in acc_bits 24; acc_bits 33 or product "
            "shift 9 would hold it") in err
    assert run("model fake --product-shift 9", *line)[0] == 0
    assert run("sim fake --allow-overflow", *line)[0] == 0


def test_as_a_process():
    """stdout of --json is JSON alone, and a user's mistake leaves no traceback."""
    def call(*arguments):
        return subprocess.run([sys.executable, "-m", "sparseforge", *arguments],
                              capture_output=True, text=True, check=False)
    good, bad = call("list", "--json"), call("model", "nobody")
    assert (good.returncode, good.stderr) == (0, "")
    assert set(json.loads(good.stdout)) == {"designs", "networks"}
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)


def test_dcnn_closed_form():
    """AlexNet conv3 by hand: 384 · ⌈13/8⌉² · ⌈256·9/16⌉, and grouped conv2."""
    assert largest_tile(13, 8) == 2
    assert largest_tile(7, 8) == 1
    conv2, conv3 = (network("alexnet").pick(name)[0].layer for name in ("conv2", "conv3"))
    assert dcnn_cycles(conv3, 8, 8, 16) == 384 * 2 * 2 * 144
    assert dcnn_cycles(conv2, 8, 8, 16) == 2 * 128 * 4 * 4 * -(-48 * 25 // 16)
    fc = Layer.fc("fc", 100, 10, batch=65)
    assert dcnn_cycles(fc, 8, 8, 16) == 10 * 2 * 7
