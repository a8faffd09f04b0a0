"""What the PPU of SCNN makes of one drained group, in plain arithmetic.

The order of samples is the hardware's; the arithmetic is Python's.
"""

from fractions import Fraction


def round_half_even(value: Fraction | int) -> int:
    """Nearest integer, halves to the even one (Python's own rule)."""
    return round(Fraction(value))


def requantise(total, multiplier, shift, out_bits, relu):
    """One output: scaled, rounded half to even, saturated to ``out_bits``, ReLU."""
    high = 2 ** (out_bits - 1) - 1
    value = min(high, max(-high - 1, round_half_even(Fraction(total * multiplier, 2**shift))))
    return max(0, value) if relu else value


def encode(samples, index_bits, width):
    """Rows of ``width`` (value, run) from ascending (position, value): the run-length format."""
    longest = 2**index_bits - 1
    elements, following = [], 0
    for position, value in samples:
        if value:
            gap = position - following
            while gap > longest:
                elements.append((0, longest))
                gap -= longest + 1
            elements.append((value, gap))
            following = position + 1
    elements += [(0, 0)] * (-len(elements) % width)
    return [elements[n:n + width] for n in range(0, len(elements), width)]


def drain(sums, bias, layer, row, col, *, kc, channel, wrap):
    """One group of one PE: ``{channel: [(position, value), ...]}`` and the walk's steps.

    sums : function (window row, window column, k) -> partial sum
    layer, row, col : mappings with the descriptor's fields (``hw/scnn/descriptor.py``)
    wrap : function that reduces a sum to the accumulator's width
    """
    out, steps = {}, 0
    stride = layer["next_stride"]
    for k in range(kc):
        for start_r in range(min(stride, row["pooled"]) if col["pooled"] else 0):
            for start_c in range(min(stride, col["pooled"])):
                phase_r = (row["phase"] + start_r) % stride
                phase_c = (col["phase"] + start_c) % stride
                if phase_r >= layer["next_phases_rows"] or phase_c >= layer["next_phases_cols"]:
                    steps += 1
                    continue
                samples = []
                for pooled_r in range(start_r, row["pooled"], stride):
                    for pooled_c in range(start_c, col["pooled"], stride):
                        value = _window(sums, bias[k], layer, row, col, pooled_r, pooled_c, k, wrap)
                        steps += layer["pool_kernel"] ** 2
                        position = ((row["phase"] + pooled_r) // stride * layer["next_pitch"]
                                    + (col["phase"] + pooled_c) // stride)
                        samples.append((position, value))
                where = channel + k * layer["next_phases"]
                out[where + phase_r * layer["next_phases_cols"] + phase_c] = samples
    return out, steps


def _window(sums, bias, layer, row, col, pooled_r, pooled_c, k, wrap):
    kernel, stride = layer["pool_kernel"], layer["pool_stride"]
    values = []
    for t in range(kernel):
        for u in range(kernel):
            y = pooled_r * stride + t - row["pool_pad"]
            x = pooled_c * stride + u - col["pool_pad"]
            if 0 <= y < row["limit"] and 0 <= x < col["limit"]:
                total = wrap(sums(layer["halo_up"] + y, layer["halo_left"] + x, k) + bias)
                values.append(requantise(total, layer["multiplier"], layer["shift"],
                                         layer["out_bits"], layer["relu"]))
    if layer["pool"] == 2:
        return round_half_even(Fraction(sum(values), kernel * kernel))
    return max(values)
