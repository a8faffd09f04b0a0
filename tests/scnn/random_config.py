"""Random configurations of SCNN."""

from hw.scnn.config import SCNNConfig


def random_config(rnd):
    """A tiny configuration: nothing square, nothing a power of two where it need not be."""
    f, i = rnd.choice([1, 2, 3, 4]), rnd.choice([1, 2, 3, 4])
    bus, wide = rnd.choice([1, 2, 3]), max(f, i) > 1
    return SCNNConfig(
        pe_rows=rnd.randint(1, 3), pe_cols=rnd.randint(1, 3), mults_f=f, mults_i=i,
        acc_banks=rnd.choice([2, 4, 8, 16]), acc_entries=rnd.choice([17, 32, 64, 100]),
        data_bits=8, acc_bits=rnd.choice([8, 11, 16]) if wide else 8,
        index_bits=rnd.choice([1, 2, 4, 8]), ram_elements=i * rnd.choice([16, 40, 100, 300]),
        max_channels=rnd.choice([16, 40, 100]), fifo_entries=bus * rnd.randint(2, 9),
        weight_bus=bus, max_kc=rnd.choice([1, 3, 8, 20]),
        memory_bits=rnd.choice([64, 128, 512]), kc=rnd.choice([0, 1, 1]))
