// AXI4 memory for benches: INCR bursts, in order, with exact latencies, bandwidth and stalls.
//
// Cycle t is the cycle whose handshakes are taken at the rising edge of clk that ends it.
//
// read   AR taken in t: its first beat has r_valid in cycle t + latency, or the cycle after the beat
//        before it was taken, whichever is later; then a beat per cycle, in order. ar_ready is
//        high while fewer than `outstanding` bursts that were taken lack their last beat.
// write  AW and W are taken independently, one per cycle (data may come before its address, up to
//        W_DEPTH beats). The last of a burst's beats and its address taken in t: b_valid in cycle
//        t + latency, or the cycle after the B before it was taken. aw_ready is high while fewer than
//        `outstanding` writes that were taken lack their B. A beat is visible to reads offered
//        from the cycle after it was taken.
// rate   per direction `rate_beats` per `rate_cycles`, a token bucket: in each cycle
//            credit = min(credit - rate_cycles * used in the cycle before + rate_beats,
//                         rate_cycles + rate_beats - 1)
//        full at reset; a new beat is offered (read) or w_ready is high (write) only in a cycle with
//        credit >= rate_cycles. 1 per 1 is no limit. rate_beats <= rate_cycles.
// stalls per channel with probability stall_x / 256 in each cycle: ar_ready, aw_ready, w_ready low,
//        or a new r_valid, b_valid put off. Pseudo-random from `seed`, the same in every simulator.
// errors beats at or beyond `size` bytes: DECERR, data 0, not written. A beat that holds byte
//        fault_addr: SLVERR, if fault_read or fault_write; not written.
// checks on what the master does set `violation` (the first one's number, below) and print a line.
//
// load: at its rising edge mem is read from job_<job>.bin (binary, each beat's last byte first).
// dump: at its rising edge beats dump_first..dump_last are written to job_<job>.hex.
`timescale 1ns/1ps
module axi_memory #(
    parameter DATA_BITS = 128,
    parameter ADDR_BITS = 32,
    parameter ID_BITS = 1,
    parameter DEPTH = 4096,            // beats
    parameter QUEUE = 64,              // most bursts in flight, at least `outstanding`
    parameter W_DEPTH = 512,
    parameter WHOLE_BEATS = 1          // a burst must begin with a whole beat, as AXI does not ask
) (
    input clk,
    input rst,
    input [ID_BITS-1:0] aw_id,
    input [ADDR_BITS-1:0] aw_addr,
    input [7:0] aw_len,
    input [2:0] aw_size,
    input [1:0] aw_burst,
    input aw_valid,
    output reg aw_ready,
    input [DATA_BITS-1:0] w_data,
    input [DATA_BITS/8-1:0] w_strb,
    input w_last,
    input w_valid,
    output reg w_ready,
    output reg [ID_BITS-1:0] b_id,
    output reg [1:0] b_resp,
    output reg b_valid,
    input b_ready,
    input [ID_BITS-1:0] ar_id,
    input [ADDR_BITS-1:0] ar_addr,
    input [7:0] ar_len,
    input [2:0] ar_size,
    input [1:0] ar_burst,
    input ar_valid,
    output reg ar_ready,
    output reg [ID_BITS-1:0] r_id,
    output reg [DATA_BITS-1:0] r_data,
    output reg [1:0] r_resp,
    output reg r_last,
    output reg r_valid,
    input r_ready,

    input [15:0] latency,              // cycles, at least 1
    input [7:0] outstanding,           // 1..QUEUE
    input [15:0] rate_beats,
    input [15:0] rate_cycles,
    input [63:0] size,                 // bytes, a multiple of the beat
    input [63:0] fault_addr,
    input fault_read,
    input fault_write,
    input [7:0] stall_ar,
    input [7:0] stall_r,
    input [7:0] stall_aw,
    input [7:0] stall_w,
    input [7:0] stall_b,
    input [31:0] seed,

    input [31:0] job,
    input load,
    input dump,
    input [31:0] dump_first,
    input [31:0] dump_last,

    output reg [7:0] violation,        // 0: none
    output reg [31:0] read_beats,      // taken since reset
    output reg [31:0] write_beats,
    output reg [31:0] first_written,   // lowest and highest beat written since load
    output reg [31:0] last_written
);
    localparam BYTES = DATA_BITS / 8;
    localparam SHIFT = $clog2(BYTES);
    localparam OKAY = 2'b00, SLVERR = 2'b10, DECERR = 2'b11;
    localparam VALID_DROPPED = 1, PAYLOAD_CHANGED = 2, NOT_INCR = 3, CROSSES_4K = 4, TOO_WIDE = 5,
               WRONG_WLAST = 6, IS_X = 7, UNALIGNED = 8;

    reg [DATA_BITS-1:0] mem [0:DEPTH-1];

    // Bursts in flight: rings, indices modulo QUEUE.
    reg [63:0] rq_addr [0:QUEUE-1], rq_due [0:QUEUE-1], aq_addr [0:QUEUE-1], bq_due [0:QUEUE-1];
    reg [7:0] rq_len [0:QUEUE-1], aq_len [0:QUEUE-1];
    reg [2:0] rq_size [0:QUEUE-1], aq_size [0:QUEUE-1];
    reg [ID_BITS-1:0] rq_id [0:QUEUE-1], aq_id [0:QUEUE-1], bq_id [0:QUEUE-1];
    reg [1:0] bq_resp [0:QUEUE-1];
    reg [DATA_BITS-1:0] wq_data [0:W_DEPTH-1];
    reg [BYTES-1:0] wq_strb [0:W_DEPTH-1];
    reg wq_last [0:W_DEPTH-1];

    integer rq_in, rq_out, rq_count, reads, aq_in, aq_out, aq_count, writes, bq_in, bq_out, bq_count;
    integer wq_in, wq_out, wq_count, i;
    reg [63:0] now, next, addr;
    reg [7:0] r_beat, w_beat;
    reg [1:0] w_resp, resp;
    reg [31:0] read_credit, write_credit, cap, index;
    reg [31:0] rand_ar, rand_r, rand_aw, rand_w, rand_b;
    reg used;

    function [31:0] xorshift(input [31:0] x);
        reg [31:0] y;
        begin
            y = x ^ (x << 13);
            y = y ^ (y >> 17);
            xorshift = y ^ (y << 5);
        end
    endfunction

    // A seed of its own per channel, never 0 (where xorshift stays).
    function [31:0] scramble(input [31:0] s, input [31:0] channel);
        scramble = xorshift(xorshift((s * 32'd2654435761) ^ (channel * 32'h9e3779b9) ^ 32'h5bd1e995)
                            | 32'd1);
    endfunction

    function [63:0] beat_addr(input [63:0] start, input [2:0] log2, input [7:0] beat);
        beat_addr = beat == 0 ? start : ((start >> log2) + beat) << log2;
    endfunction

    function [1:0] judge(input [63:0] a, input faulty);
        judge = a >= size ? DECERR
              : faulty && a >> SHIFT == fault_addr >> SHIFT ? SLVERR : OKAY;
    endfunction

    task violated(input [7:0] code, input [8*2-1:0] channel);
        begin
            $display("axi_memory: cycle %0d, channel %0s: violation %0d", now, channel, code);
            if (violation == 0) violation = code;
        end
    endtask

    task check_address(input [63:0] a, input [7:0] len, input [2:0] log2, input [1:0] burst,
                       input [8*2-1:0] channel);
        begin
            if (burst != 2'b01 && len != 0) violated(NOT_INCR, channel);
            if ({29'd0, log2} > SHIFT) violated(TOO_WIDE, channel);
            if (WHOLE_BEATS != 0 && ((a >> SHIFT) << SHIFT) != a) violated(UNALIGNED, channel);
            if (a[63:12] != ((((a >> log2) + len) << log2) >> 12)) violated(CROSSES_4K, channel);
        end
    endtask

    // What the master offered in the cycle before and had not taken.
    localparam ADDRESS_BITS = ID_BITS + ADDR_BITS + 13;
    localparam W_BITS = DATA_BITS + BYTES + 1;
    wire [ADDRESS_BITS-1:0] aw = {aw_id, aw_addr, aw_len, aw_size, aw_burst};
    wire [ADDRESS_BITS-1:0] ar = {ar_id, ar_addr, ar_len, ar_size, ar_burst};
    wire [W_BITS-1:0] w = {w_data, w_strb, w_last};
    reg [ADDRESS_BITS-1:0] aw_held, ar_held;
    reg [W_BITS-1:0] w_held;
    reg aw_waits, w_waits, ar_waits;

    task check_channels;
        begin
            if ((aw_valid ^ w_valid ^ ar_valid ^ b_ready ^ r_ready) === 1'bx) violated(IS_X, "--");
            if (aw_waits && !aw_valid) violated(VALID_DROPPED, "AW");
            if (aw_waits && aw_valid && aw != aw_held) violated(PAYLOAD_CHANGED, "AW");
            if (w_waits && !w_valid) violated(VALID_DROPPED, "W");
            if (w_waits && w_valid && w != w_held) violated(PAYLOAD_CHANGED, "W");
            if (ar_waits && !ar_valid) violated(VALID_DROPPED, "AR");
            if (ar_waits && ar_valid && ar != ar_held) violated(PAYLOAD_CHANGED, "AR");
            aw_waits = aw_valid && !aw_ready;
            w_waits = w_valid && !w_ready;
            ar_waits = ar_valid && !ar_ready;
            aw_held = aw;
            w_held = w;
            ar_held = ar;
        end
    endtask

    task take_read;
        begin
            if (r_valid && r_ready) begin
                read_beats <= read_beats + 1;
                if (r_last) reads = reads - 1;
            end
            if (ar_valid && ar_ready) begin
                check_address({{64-ADDR_BITS{1'b0}}, ar_addr}, ar_len, ar_size, ar_burst, "AR");
                rq_addr[rq_in] = {{64-ADDR_BITS{1'b0}}, ar_addr};
                rq_len[rq_in] = ar_len;
                rq_size[rq_in] = ar_size;
                rq_id[rq_in] = ar_id;
                rq_due[rq_in] = now + {48'd0, latency};
                rq_in = rq_in == QUEUE - 1 ? 0 : rq_in + 1;
                rq_count = rq_count + 1;
                reads = reads + 1;
            end
        end
    endtask

    task offer_read;
        begin
            used = 0;
            if (!r_valid || r_ready) begin
                if (rq_count != 0 && rq_due[rq_out] <= next && read_credit >= {16'd0, rate_cycles}
                        && rand_r[7:0] >= stall_r) begin
                    used = 1;
                    addr = beat_addr(rq_addr[rq_out], rq_size[rq_out], r_beat);
                    resp = judge(addr, fault_read);
                    r_valid <= 1;
                    r_id <= rq_id[rq_out];
                    r_resp <= resp;
                    index = addr[SHIFT +: 32];
                    r_data <= resp == DECERR ? {DATA_BITS{1'b0}} : mem[index];
                    r_last <= r_beat == rq_len[rq_out];
                    if (r_beat == rq_len[rq_out]) begin
                        r_beat = 0;
                        rq_out = rq_out == QUEUE - 1 ? 0 : rq_out + 1;
                        rq_count = rq_count - 1;
                    end else
                        r_beat = r_beat + 1;
                end else
                    r_valid <= 0;
            end
            if (used) read_credit = read_credit - {16'd0, rate_cycles};
        end
    endtask

    task take_write;
        begin
            if (b_valid && b_ready) writes = writes - 1;
            if (aw_valid && aw_ready) begin
                check_address({{64-ADDR_BITS{1'b0}}, aw_addr}, aw_len, aw_size, aw_burst, "AW");
                aq_addr[aq_in] = {{64-ADDR_BITS{1'b0}}, aw_addr};
                aq_len[aq_in] = aw_len;
                aq_size[aq_in] = aw_size;
                aq_id[aq_in] = aw_id;
                aq_in = aq_in == QUEUE - 1 ? 0 : aq_in + 1;
                aq_count = aq_count + 1;
                writes = writes + 1;
            end
            if (w_valid && w_ready) begin
                wq_data[wq_in] = w_data;
                wq_strb[wq_in] = w_strb;
                wq_last[wq_in] = w_last;
                wq_in = wq_in == W_DEPTH - 1 ? 0 : wq_in + 1;
                wq_count = wq_count + 1;
                write_credit = write_credit - {16'd0, rate_cycles};
                write_beats <= write_beats + 1;
            end
            while (wq_count != 0 && aq_count != 0) perform_write;
        end
    endtask

    task perform_write;
        begin
            addr = beat_addr(aq_addr[aq_out], aq_size[aq_out], w_beat);
            resp = judge(addr, fault_write);
            if (resp > w_resp) w_resp = resp;
            index = addr[SHIFT +: 32];
            if (resp == OKAY) begin
                if (&wq_strb[wq_out]) mem[index] = wq_data[wq_out];
                else
                    for (i = 0; i < BYTES; i = i + 1)
                        if (wq_strb[wq_out][i]) mem[index][8*i +: 8] = wq_data[wq_out][8*i +: 8];
                if (index < first_written) first_written = index;
                if (index > last_written || first_written > last_written) last_written = index;
            end
            if (wq_last[wq_out] != (w_beat == aq_len[aq_out])) violated(WRONG_WLAST, "W");
            if (w_beat == aq_len[aq_out]) begin
                bq_id[bq_in] = aq_id[aq_out];
                bq_resp[bq_in] = w_resp;
                bq_due[bq_in] = now + {48'd0, latency};
                bq_in = bq_in == QUEUE - 1 ? 0 : bq_in + 1;
                bq_count = bq_count + 1;
                aq_out = aq_out == QUEUE - 1 ? 0 : aq_out + 1;
                aq_count = aq_count - 1;
                w_beat = 0;
                w_resp = OKAY;
            end else
                w_beat = w_beat + 1;
            wq_out = wq_out == W_DEPTH - 1 ? 0 : wq_out + 1;
            wq_count = wq_count - 1;
        end
    endtask

    task offer_b;
        if (!b_valid || b_ready) begin
            if (bq_count != 0 && bq_due[bq_out] <= next && rand_b[7:0] >= stall_b) begin
                b_valid <= 1;
                b_id <= bq_id[bq_out];
                b_resp <= bq_resp[bq_out];
                bq_out = bq_out == QUEUE - 1 ? 0 : bq_out + 1;
                bq_count = bq_count - 1;
            end else
                b_valid <= 0;
        end
    endtask

    task start_over;
        begin
            now = 0;
            rq_in = 0; rq_out = 0; rq_count = 0; reads = 0; r_beat = 0;
            aq_in = 0; aq_out = 0; aq_count = 0; writes = 0; w_beat = 0; w_resp = OKAY;
            bq_in = 0; bq_out = 0; bq_count = 0;
            wq_in = 0; wq_out = 0; wq_count = 0;
            aw_waits = 0; w_waits = 0; ar_waits = 0;
            violation = 0;
            cap = {16'd0, rate_cycles} + {16'd0, rate_beats} - 1;
            read_credit = cap;
            write_credit = cap;
            rand_ar = scramble(seed, 1);
            rand_r = scramble(seed, 2);
            rand_aw = scramble(seed, 3);
            rand_w = scramble(seed, 4);
            rand_b = scramble(seed, 5);
            ar_ready <= 0; aw_ready <= 0; w_ready <= 0; r_valid <= 0; b_valid <= 0;
            read_beats <= 0; write_beats <= 0;
        end
    endtask

    always @(posedge clk)
        if (rst) start_over;
        else begin
            next = now + 1;
            check_channels;
            take_read;
            take_write;
            // From here on: what cycle `next` shows.
            offer_read;
            offer_b;
            write_credit = write_credit + {16'd0, rate_beats};
            if (write_credit > cap) write_credit = cap;
            ar_ready <= reads < outstanding && rand_ar[7:0] >= stall_ar;
            aw_ready <= writes < outstanding && rand_aw[7:0] >= stall_aw;
            w_ready <= wq_count < W_DEPTH && write_credit >= {16'd0, rate_cycles}
                       && rand_w[7:0] >= stall_w;
            read_credit = read_credit + {16'd0, rate_beats};
            if (read_credit > cap) read_credit = cap;
            rand_ar = xorshift(rand_ar);
            rand_r = xorshift(rand_r);
            rand_aw = xorshift(rand_aw);
            rand_w = xorshift(rand_w);
            rand_b = xorshift(rand_b);
            now = next;
        end

    initial begin
        first_written = 32'hffffffff;
        last_written = 0;
    end

    integer file, got;
    reg [8*32-1:0] name;
    always @(posedge load) begin
        $sformat(name, "job_%0d.bin", job);
        file = $fopen(name, "rb");
        got = $fread(mem, file);
        $fclose(file);
        first_written = 32'hffffffff;
        last_written = 0;
    end
    always @(posedge dump) begin
        $sformat(name, "job_%0d.hex", job);
        $writememh(name, mem, dump_first, dump_last);
    end
endmodule
