"""What a halo step of SCNN does to the windows of all PEs: whole strips at once."""



def strip(op, layer, row, col):
    """(drow, dcol) of travel, the strip sent (row slice, column slice), where it lands, zeroed?

    Slices of the window [rows, columns]; the landing place is in the *receiving* PE's window, by
    its own tile. Call it with the sender's tile for the first, the receiver's for the second.
    """
    up, left = layer["halo_up"], layer["halo_left"]
    h, w = row["size"], col["size"]
    all_rows, own_cols = (0, layer["window_rows"]), (left, w)
    return {
        "LEFT": ((0, -1), all_rows, (0, left), (0, w), True),
        "RIGHT": ((0, 1), all_rows, (left + w, layer["halo_right"]), (0, -w), True),
        "UP": ((-1, 0), (0, up), own_cols, (h, 0), True),
        "DOWN": ((1, 0), (up + h, layer["halo_down"]), own_cols, (-h, 0), True),
        "COPY_LEFT": ((0, -1), (up, h), (left, layer["overlap_cols"]), (0, w), False),
        "COPY_UP": ((-1, 0), (up, layer["overlap_rows"]), (left, w + layer["overlap_cols"]),
                    (h, 0), False),
    }[op]


def exchange(op, windows, layer, rows, cols):
    """Windows [PE rows, PE columns, window rows, pitch, kc] after the step.

    A strip that leaves to the left lands one *receiver's* tile further right in the neighbour's
    window (its tile begins that much earlier); one that leaves to the right, one *sender's* tile
    further left. Rows alike.
    """
    out = windows.copy()
    height, width = windows.shape[:2]
    moves = []
    for r in range(height):
        for c in range(width):
            (dr, dc), (y, h), (x, w), _, zero = strip(op, layer, rows[r], cols[c])
            sent = windows[r, c, y:y + h, x:x + w].copy()
            if zero:
                out[r, c, y:y + h, x:x + w] = 0
            to = r + dr, c + dc
            if 0 <= to[0] < height and 0 <= to[1] < width:
                backward = dr + dc < 0
                tiles = (rows[to[0]], cols[to[1]]) if backward else (rows[r], cols[c])
                _, _, _, (sy, sx), _ = strip(op, layer, *tiles)
                moves.append((to, y + sy, x + sx, sent))
    for to, y, x, sent in moves:
        out[to][y:y + sent.shape[0], x:x + sent.shape[1]] += sent
    return out
