# Ref: Parashar et al., "SCNN", ISCA 2017, section IV and Fig. 5: layer sequencer.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .layouts import HaloOp, command_layout, descriptor_layout

# The drain of a group: what repeats how often.
DRAIN_STEPS = (
    (HaloOp.LEFT, "hops_left"), (HaloOp.RIGHT, "hops_right"), (HaloOp.UP, "hops_up"),
    (HaloOp.DOWN, "hops_down"), (HaloOp.COPY_LEFT, "overlap_cols"),
    (HaloOp.COPY_UP, "overlap_rows"), (HaloOp.EMIT, None), (HaloOp.CLEAR, None))


class DrainSequencer(wiring.Component):
    """Runs the drain steps of one group through all PEs.

    ``start`` in cycle s; the first step is broadcast (``drain``) in s+1; a step whose PEs are all
    ``drained`` in cycle t is followed by the next in t+1; ``idle`` from the cycle after the last
    step's end. A COPY step runs once; a step of zero hops takes no cycle.

    Members
    -------
    layer : In
    start, clear_all : In(1)
        Drain a group, or clear every entry of the buffer.
    kc, channel : In(16)
        Of the group, with ``start``.
    drained : In(1)
    drain, op, group_kc, group_channel : Out
        To the PEs.
    idle : Out(1)
    """

    def __init__(self, cfg):
        super().__init__({
            "layer": In(descriptor_layout(cfg)["layer"].shape),
            "start": In(1),
            "clear_all": In(1),
            "kc": In(16),
            "channel": In(16),
            "drained": In(1),
            "drain": Out(1),
            "op": Out(HaloOp),
            "group_kc": Out(16),
            "group_channel": Out(16),
            "idle": Out(1, init=1),
        })

    def elaborate(self, platform):
        m = Module()
        count = len(DRAIN_STEPS)
        step, hop = Signal(range(count + 1)), Signal(8)
        hops = Signal(data.ArrayLayout(8, count))
        for n, (op, field) in enumerate(DRAIN_STEPS):
            copies = op in (HaloOp.COPY_LEFT, HaloOp.COPY_UP)
            times = 1 if field is None else self.layer[field]
            m.d.comb += hops[n].eq(times.any() if copies else times)

        def go_to(first):
            """The first step from `first` on that has hops, or the end."""
            m.d.sync += self.idle.eq(1)
            for n in reversed(range(first, count)):
                with m.If(hops[n].any()):
                    m.d.sync += [step.eq(n), hop.eq(1), self.op.eq(DRAIN_STEPS[n][0]),
                                 self.drain.eq(1), self.idle.eq(0)]

        m.d.sync += self.drain.eq(0)
        with m.If(self.start):
            m.d.sync += [self.group_kc.eq(self.kc), self.group_channel.eq(self.channel)]
            go_to(0)
        with m.Elif(self.clear_all):
            m.d.sync += [step.eq(count - 1), hop.eq(1), self.op.eq(HaloOp.CLEAR_ALL),
                         self.drain.eq(1), self.idle.eq(0)]
        with m.Elif(~self.idle & ~self.drain & self.drained), m.Switch(step):
            for n in range(count):
                with m.Case(n):
                    with m.If(hop < hops[n]):
                        m.d.sync += [hop.eq(hop + 1), self.drain.eq(1)]
                    with m.Else():
                        go_to(n + 1)
        return m


class Sequencer(wiring.Component):
    """Layer sequencer: one layer from descriptor to finished.

    Clears the accumulators before the first layer, asks the DMA for load and weight lines, runs
    the output-channel groups with a barrier between them, overlaps each group's drain with the
    next group, stores the output if told to, and lets the activation RAMs change places.

    Members
    -------
    descriptor : In(descriptor_layout(cfg))
    start : In(1)
        Held descriptor is to be run; taken when idle.
    finished : Out(1)
        A pulse.
    read, write : Out
        DMA commands {valid, ready, address, lines}.
    loaded, store_done, all_done, all_drained, complete : In(1)
    command : Out(command_layout(cfg))
    layer_start, store : Out(1)
        Pulses for the decoder and the collector.
    grouping : Out(1)
        From the first group's start to the last one's drain.
    bad : Out(1)
        The descriptor contradicts itself or the configuration.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        dma = {"valid": Out(1), "ready": In(1), "address": Out(32), "lines": Out(32)}
        super().__init__({
            "descriptor": In(descriptor_layout(cfg)),
            "start": In(1),
            "finished": Out(1),
            **{f"read_{k}": v for k, v in dma.items()},
            **{f"write_{k}": v for k, v in dma.items()},
            "loaded": In(1),
            "store_done": In(1),
            "all_done": In(1),
            "all_drained": In(1),
            "complete": In(1),
            "command": Out(command_layout(cfg)),
            "layer_start": Out(1),
            "store": Out(1),
            "grouping": Out(1),
            "bad": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        layer = self.descriptor.layer
        m.submodules.drain = drain = DrainSequencer(cfg)
        command = self.command
        swap, run, load = Signal(), Signal(), Signal()
        cleared = Signal(2)                 # accumulator buffers cleared since reset
        group, channel = Signal(16), Signal(16)
        requested = Signal()                # the load lines have been asked for
        m.d.comb += [
            drain.layer.eq(layer), drain.drained.eq(self.all_drained),
            command.drain.eq(drain.drain), command.op.eq(drain.op),
            command.kc.eq(drain.group_kc), command.channel.eq(drain.group_channel),
            command.swap.eq(swap), command.run.eq(run), command.load.eq(load),
            command.layer_start.eq(self.layer_start), command.clear_input.eq(layer.load),
            drain.kc.eq(Mux(group == layer.groups, layer.kc_last, layer.kc)),
            drain.channel.eq(channel),
            self.read_address.eq(Mux(requested, layer.weight_addr, layer.load_addr)),
            self.read_lines.eq(Mux(requested, layer.weight_lines, layer.load_lines)),
            self.write_address.eq(layer.store_addr), self.write_lines.eq(layer.store_lines),
        ]
        m.d.comb += self.grouping.eq(group.any())
        loaded = Signal()                   # may come while the accumulators are being cleared
        with m.If(self.loaded):
            m.d.sync += loaded.eq(1)
        with m.Elif(self.layer_start):
            m.d.sync += loaded.eq(0)
        m.d.sync += [swap.eq(0), run.eq(0), self.finished.eq(0), self.layer_start.eq(0),
                     command.layer_end.eq(0), self.store.eq(0)]
        self._requests(m, requested, layer)

        with m.FSM():
            with m.State("IDLE"), m.If(self.start & ~self.finished):
                m.d.sync += [self.layer_start.eq(1), group.eq(0), channel.eq(0),
                             load.eq(layer.load)]
                m.next = "CHECK"
            with m.State("CHECK"):
                with m.If(self._contradiction(m, layer)):
                    m.d.sync += self.bad.eq(1)
                    m.next = "STOPPED"
                with m.Else():
                    m.next = "CLEAR"
            with m.State("STOPPED"):
                pass
            with m.State("CLEAR"), m.If(drain.idle & ~swap):
                with m.If(cleared == 2):
                    m.next = "LOAD"
                with m.Else():
                    m.d.comb += drain.clear_all.eq(1)
                    m.d.sync += cleared.eq(cleared + 1)
                    m.next = "CLEARING"
            with m.State("CLEARING"), m.If(drain.idle):
                m.d.sync += swap.eq(1)
                m.next = "CLEAR"
            with m.State("LOAD"), m.If(~load | loaded):
                m.d.sync += [load.eq(0), swap.eq(1), run.eq(1), group.eq(1)]
                m.next = "GO"
            with m.State("GO"):              # the PEs see `run`
                m.next = "GROUP"
            with m.State("GROUP"), m.If(self.all_done & drain.idle):
                m.d.sync += [swap.eq(1), run.eq(group != layer.groups)]
                m.next = "SWAP"
            with m.State("SWAP"):            # the PEs see `swap`: the drain may start
                m.d.comb += drain.start.eq(1)
                m.d.sync += channel.eq(channel + layer.group_channels)
                with m.If(group == layer.groups):
                    m.next = "LAST_DRAIN"
                with m.Else():
                    m.d.sync += group.eq(group + 1)
                    m.next = "GROUP"
            with m.State("LAST_DRAIN"), m.If(drain.idle & ~drain.start):
                m.d.sync += group.eq(0)
                with m.If(layer.store):
                    m.d.sync += self.store.eq(1)
                    m.next = "STORE_REQUEST"
                with m.Else():
                    m.next = "END"
            with m.State("STORE_REQUEST"):
                m.d.comb += self.write_valid.eq(1)
                with m.If(self.write_ready):
                    m.next = "STORE"
            with m.State("STORE"):
                with m.If(self.store_done):
                    m.next = "END"
            with m.State("END"):
                with m.If(self.complete):
                    m.d.sync += [command.layer_end.eq(1), self.finished.eq(1)]
                    m.next = "IDLE"
                with m.Else():               # more lines than groups
                    m.d.sync += self.bad.eq(1)
                    m.next = "STOPPED"
        return m

    def _requests(self, m, requested, layer):
        """Asks for the load lines, then for the weight lines, as soon as the DMA takes them."""
        asking = Signal()
        m.d.comb += self.read_valid.eq(asking)
        with m.If(self.layer_start):
            m.d.sync += [asking.eq(1), requested.eq(~layer.load)]
        with m.Elif(asking & self.read_ready):
            m.d.sync += [requested.eq(1), asking.eq(~requested)]

    def _contradiction(self, m, layer):
        """What a descriptor with a good CRC may still get wrong, as one bit."""
        cfg = self.cfg
        wrong = Signal()
        m.d.comb += wrong.eq(Cat(
            ~layer.groups.any(), ~layer.kc.any(), layer.kc > cfg.max_kc, ~layer.kc_last.any(),
            layer.kc_last > layer.kc, ~layer.window_sums.any(), layer.window_sums > cfg.acc_depth,
            ~layer.pitch.any(), ~layer.kernel_rows.any(), layer.kernel_rows > cfg.max_kernel,
            ~layer.weight_lines.any(), layer.load & ~layer.load_lines.any(),
            layer.store & ~layer.store_lines.any(),
            ~layer.pool_kernel.any(), ~layer.pool_stride.any(), ~layer.next_stride.any(),
            layer.pool == 3, layer.out_bits < 2, layer.out_bits > cfg.data_bits,
            layer.out_channels > cfg.max_channels,
        ).any())
        return wrong
