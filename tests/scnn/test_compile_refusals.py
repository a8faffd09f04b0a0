"""compile refuses what the hardware cannot do, in one line that names the layer and the rule."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.scnn import decode, execute, layout
from golden.scnn.compile import compile
from golden.tensors import synthetic
from hw.scnn.config import PRESETS

SMALL = PRESETS["small"]
PLAIN = Layer(name="conv", c=2, h=9, w=9, k=2, r=3, s=3, shift=4, out_bits=8)


@pytest.mark.parametrize("change, config, rule", [
    ({"out_bits": 17}, {}, r"out_bits must be at most data_bits \(16\), not 17"),
    ({"product_shift": 32}, {}, "product_shift must be below 32, not 32"),
    ({"shift": 42}, {}, r"shift must be at most acc_bits \+ 17 \(41\), not 42"),
    ({"multiplier": 65536}, {}, "multiplier must be below 65536, not 65536"),
    ({"r": 8, "s": 1}, {"max_kernel": 7}, r"kernel rows .* at most max_kernel \(7\), not 8"),
    ({"c": 65}, {"pe_rows": 1, "pe_cols": 1}, r"at most max_channels \(64\) .*, not 65"),
    ({"h": 300, "w": 300, "pool": Pool(kind="max", k=256, s=1)}, {},
     "pool k and s must be at most 255"),
    ({"h": 11, "w": 11, "r": 10, "s": 10}, {"acc_entries": 8}, r"must fit into acc_banks x acc_"),
    ({"r": 9, "s": 8}, {"fifo_entries": 4}, r"must fit into fifo_entries \(4\), not"),
    ({"c": 60}, {"ram_elements": 16}, "inputs must fit into 8 rows of ram_elements, not"),
])
def test_a_layer_that_cannot_be(change, config, rule):
    layer = replace(PLAIN, **change)
    with pytest.raises(ValueError, match=rf"^conv: .*{rule}") as error:
        compile(layer, synthetic(layer), replace(SMALL, **config))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["weights", "activations"])
def test_values_beyond_data_bits(name):
    tensors = synthetic(PLAIN)
    values = getattr(tensors, name).copy()
    values.flat[3] = -40000
    with pytest.raises(ValueError, match=rf"^conv: {name} must fit into data_bits \(16\), not -40"):
        compile(PLAIN, replace(tensors, **{name: values}), SMALL)


def test_no_layers():
    with pytest.raises(ValueError, match="layers must be at least one"):
        compile([], [], SMALL)


def test_a_changed_bit_is_noticed():
    program = compile(PLAIN, synthetic(PLAIN), SMALL)
    segment = program.segments[0]
    one = segment.passes[0].descriptor
    for address, what in ((segment.desc_addr, "descriptor"), (one["weight_addr"], "line 0"),
                          (one["load_addr"], "line 0")):
        broken = bytearray(segment.image)
        broken[address + 9] ^= 4
        with pytest.raises(ValueError, match=f"{what}: CRC"):
            execute.execute(replace(segment, image=bytes(broken)), SMALL)


def test_a_store_without_an_end():
    program = compile(PLAIN, synthetic(PLAIN), SMALL)
    with pytest.raises(ValueError, match="a line must end the section"):
        decode.outputs([program.image], program)


def test_the_executor_notices_wrong_geometry():
    """Each of these, one off, ends in other outputs or in an error."""
    layer = replace(PLAIN, shift=None)          # the smallest at which nothing saturates
    program = compile(layer, synthetic(layer, weight_density=0.9, signed_activations=True), SMALL)
    good = decode.outputs(execute.run(program), program)[0]
    for field in ("hops_left", "hops_right", "halo_left_sums", "origin", "kernel_gap", "shift",
                  "pitch", "row_stride"):
        assert not np.array_equal(ran_with(program, field), good), field


def ran_with(program, field):
    """Outputs with a descriptor field one less (one more if it is zero); None on an error."""
    segment = program.segments[0]
    fields = dict(segment.passes[0].descriptor)
    fields[field] += -1 if fields[field] else 1
    packed = layout.pack_descriptor(fields, program.config)
    image = segment.image[:segment.desc_addr] + packed + segment.image[
        segment.desc_addr + len(packed):]
    try:
        memory = execute.execute(replace(segment, image=image), program.config)
        return decode.outputs([memory], program)[0]
    except (ValueError, IndexError):
        return None
