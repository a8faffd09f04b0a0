// Feeds LANES copies of a two-operand pipeline from a file, a pair per lane and cycle, and checks.
//
// pairs.bin holds rows of LANES times three big-endian words: a, b and the expected result, which
// must be at `o` of the module `unit` LATENCY cycles later. `done` rises after the last row; then
// `rows` is how many were checked, `mismatches` how many results differed, and row_bad, lane_bad
// and got say where and what the first of them was.
`timescale 1ns/1ps
module lanes #(
    parameter LANES = 4,
    parameter BITS = 32,
    parameter LATENCY = 1
) (
    input clk,
    input rst,
    output reg done,
    output reg [31:0] rows,
    output reg [31:0] mismatches,
    output reg [31:0] row_bad,
    output reg [31:0] lane_bad,
    output reg [31:0] got
);
    integer file, k, bytes;
    reg [96*LANES-1:0] row, next;
    reg full;                                   // `row` came from the file
    reg [32*LANES:0] due [0:LATENCY];           // full, and what is expected, so many cycles ago
    wire [32*LANES-1:0] want = due[LATENCY-1][32*LANES-1:0];
    wire [32*LANES-1:0] results, wanted;
    genvar g;
    generate
        for (g = 0; g < LANES; g = g + 1) begin : lane
            // $fread fills from the top: lane 0 is uppermost.
            wire [95:0] now = row[96*(LANES-1-g) +: 96];
            wire [BITS-1:0] o;
            unit u (.clk(clk), .rst(rst), .a(now[64 +: BITS]), .b(now[32 +: BITS]), .o(o));
            assign results[32*g +: 32] = o;
            assign wanted[32*g +: 32] = now[31:0];
        end
    endgenerate

    initial begin
        file = $fopen("pairs.bin", "rb");
        done = 0;
        rows = 0;
        mismatches = 0;
        full = 0;
        for (k = 0; k <= LATENCY; k = k + 1) due[k] = 0;
    end

    always @(posedge clk) if (!rst) begin
        bytes = $fread(next, file);
        row <= next;
        full <= bytes == 12 * LANES;
        due[0] <= {full, wanted};
        for (k = 1; k <= LATENCY; k = k + 1) due[k] <= due[k-1];
        if (due[LATENCY-1][32*LANES]) begin
            rows <= rows + 1;
            for (k = 0; k < LANES; k = k + 1)
                if (results[32*k +: 32] !== want[32*k +: 32]) begin
                    if (mismatches == 0) begin
                        row_bad <= rows;
                        lane_bad <= k;
                        got <= results[32*k +: 32];
                    end
                    mismatches = mismatches + 1;
                end
        end else if (rows != 0) done <= 1;
    end
endmodule
