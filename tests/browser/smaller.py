#!/usr/bin/env python3
"""Makes pictures of pages small: a palette of 256 colours, and the best compression.
   tests/browser/smaller.py FILE.png...
"""
import struct
import sys
import zlib
from collections import Counter


def pixels(png):
    """Width, height and the rows of pixels of a picture with eight bits for each of three or four channels."""
    at, data = 8, b''
    while at < len(png):
        length, kind = struct.unpack('>I4s', png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        if kind == b'IHDR':
            width, height, _, colour = struct.unpack('>IIBB', body[:10])
        elif kind == b'IDAT':
            data += body
        at += 12 + length
    data, step = zlib.decompress(data), {2: 3, 6: 4}[colour]
    size, before, rows = width * step, bytearray(width * step), []
    for start in range(0, height * (size + 1), size + 1):
        kind, row = data[start], bytearray(data[start + 1:start + 1 + size])
        for i in range(size):
            left = row[i - step] if i >= step else 0
            up, corner = before[i], before[i - step] if i >= step else 0
            if kind == 4:
                guess = left + up - corner
                guess = min((left, up, corner), key=lambda it: abs(guess - it))
            else:
                guess = (0, left, up, (left + up) // 2)[kind]
            row[i] = (row[i] + guess) & 255
        rows.append([bytes(row[i:i + 3]) for i in range(0, size, step)])
        before = row
    return width, height, rows


def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def smaller(png):
    width, height, rows = pixels(png)
    counted = Counter(pixel for row in rows for pixel in row)
    palette = [colour for colour, _ in counted.most_common(256)]

    def nearest(colour):
        return min(range(len(palette)), key=lambda i: sum((a - b)**2 for a, b in zip(palette[i], colour)))

    index = {colour: nearest(colour) for colour in counted}
    data = b''.join(b'\0' + bytes(index[pixel] for pixel in row) for row in rows)
    head = struct.pack('>IIBBBBB', width, height, 8, 3, 0, 0, 0)
    chunks = [(b'IHDR', head), (b'PLTE', b''.join(palette)), (b'IDAT', zlib.compress(data, 9)), (b'IEND', b'')]
    return png[:8] + b''.join(chunk(*it) for it in chunks)


for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        made = smaller(file.read())
    with open(path, 'wb') as file:
        file.write(made)
