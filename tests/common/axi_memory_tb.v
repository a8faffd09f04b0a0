// axi_memory with the port names that cocotbext-axi knows.
`timescale 1ns/1ps
module axi_memory_tb #(parameter D = 64, parameter A = 32, parameter I = 4) (
    input clk, input rst,
    input [I-1:0] s_axi_awid, input [A-1:0] s_axi_awaddr, input [7:0] s_axi_awlen,
    input [2:0] s_axi_awsize, input [1:0] s_axi_awburst, input s_axi_awlock,
    input [3:0] s_axi_awcache, input [2:0] s_axi_awprot, input s_axi_awvalid,
    output s_axi_awready,
    input [D-1:0] s_axi_wdata, input [D/8-1:0] s_axi_wstrb, input s_axi_wlast, input s_axi_wvalid,
    output s_axi_wready,
    output [I-1:0] s_axi_bid, output [1:0] s_axi_bresp, output s_axi_bvalid, input s_axi_bready,
    input [I-1:0] s_axi_arid, input [A-1:0] s_axi_araddr, input [7:0] s_axi_arlen,
    input [2:0] s_axi_arsize, input [1:0] s_axi_arburst, input s_axi_arlock,
    input [3:0] s_axi_arcache, input [2:0] s_axi_arprot, input s_axi_arvalid,
    output s_axi_arready,
    output [I-1:0] s_axi_rid, output [D-1:0] s_axi_rdata, output [1:0] s_axi_rresp,
    output s_axi_rlast, output s_axi_rvalid, input s_axi_rready,
    input [15:0] latency, input [7:0] outstanding, input [15:0] rate_beats,
    input [15:0] rate_cycles, input [63:0] size, input [63:0] fault_addr, input fault_read,
    input fault_write, input [7:0] stall_ar, input [7:0] stall_r, input [7:0] stall_aw,
    input [7:0] stall_w, input [7:0] stall_b, input [31:0] seed, input [31:0] job, input load,
    input dump, input [31:0] dump_first, input [31:0] dump_last,
    output [7:0] violation, output [31:0] read_beats, output [31:0] write_beats,
    output [31:0] first_written, output [31:0] last_written
);
    axi_memory #(.DATA_BITS(D), .ADDR_BITS(A), .ID_BITS(I), .DEPTH(2048), .WHOLE_BEATS(0)) memory (
        .clk(clk), .rst(rst),
        .aw_id(s_axi_awid), .aw_addr(s_axi_awaddr), .aw_len(s_axi_awlen), .aw_size(s_axi_awsize),
        .aw_burst(s_axi_awburst), .aw_valid(s_axi_awvalid), .aw_ready(s_axi_awready),
        .w_data(s_axi_wdata), .w_strb(s_axi_wstrb), .w_last(s_axi_wlast), .w_valid(s_axi_wvalid),
        .w_ready(s_axi_wready),
        .b_id(s_axi_bid), .b_resp(s_axi_bresp), .b_valid(s_axi_bvalid), .b_ready(s_axi_bready),
        .ar_id(s_axi_arid), .ar_addr(s_axi_araddr), .ar_len(s_axi_arlen), .ar_size(s_axi_arsize),
        .ar_burst(s_axi_arburst), .ar_valid(s_axi_arvalid), .ar_ready(s_axi_arready),
        .r_id(s_axi_rid), .r_data(s_axi_rdata), .r_resp(s_axi_rresp), .r_last(s_axi_rlast),
        .r_valid(s_axi_rvalid), .r_ready(s_axi_rready),
        .latency(latency), .outstanding(outstanding), .rate_beats(rate_beats),
        .rate_cycles(rate_cycles), .size(size), .fault_addr(fault_addr), .fault_read(fault_read),
        .fault_write(fault_write), .stall_ar(stall_ar), .stall_r(stall_r), .stall_aw(stall_aw),
        .stall_w(stall_w), .stall_b(stall_b), .seed(seed), .job(job), .load(load), .dump(dump),
        .dump_first(dump_first), .dump_last(dump_last), .violation(violation),
        .read_beats(read_beats), .write_beats(write_beats), .first_written(first_written),
        .last_written(last_written));
endmodule
