"""Images that are bent, cut and mixed up, and files that were thought out to do harm."""

import os
import struct
import zlib

import numpy as np


def cut(data, rng, other):
    return data[: rng.integers(len(data))]


def flip_bits(data, rng, other):
    """Mostly near the beginning, where the header is."""
    data = np.frombuffer(data, np.uint8).copy()
    number = rng.integers(1, 9)
    reach = min(len(data), 200) if rng.random() < 0.7 else len(data)
    data[rng.integers(reach, size=number)] ^= 1 << rng.integers(8, size=number, dtype=np.uint8)
    return data.tobytes()


def insert(data, rng, other):
    at = rng.integers(len(data))
    return data[:at] + rng.bytes(rng.integers(1, 100)) + data[at:]


def delete(data, rng, other):
    at = rng.integers(len(data))
    return data[:at] + data[at + rng.integers(1, 100) :]


def splice(data, rng, other):
    return data[: rng.integers(len(data))] + other[rng.integers(len(other)) :]


def extreme(data, rng, other):
    """Two or four bytes of a header replaced by numbers at the edge of what they can hold."""
    at = rng.integers(2, min(len(data), 200))
    number = int(rng.choice([0, 1, 2**7, 2**15 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 10**4]))
    order = "<" if rng.random() < 0.5 else ">"
    piece = struct.pack(order + "I", number)
    if rng.random() < 0.5:
        piece = struct.pack(order + "H", number & 0xFFFF)
    return data[:at] + piece + data[at + len(piece) :]


def checksums(data, rng, other):
    """Bent as above, and if it is a PNG, with checksums that are right all the same."""
    data = (extreme if rng.random() < 0.5 else flip_bits)(data, rng, other)
    at = 8
    while data.startswith(b"\x89PNG") and at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if end > len(data):
            break
        (data, at) = (data[: end - 4] + sum_of(data[at + 4 : end - 4]) + data[end:], end)
    return data


def random_bytes(data, rng, other):
    """With a sound beginning, so that one of the decoders takes them."""
    return data[: rng.integers(2, 60)] + rng.bytes(rng.integers(1, 3000))


CHANGES = {
    change.__name__: change
    for change in (cut, flip_bits, insert, delete, splice, extreme, checksums, random_bytes)
}


def png(width, height, depth, colours, rows, *extra, packed=None):
    """extra: (name, content) of further chunks; packed: the compressed rows, if not sound."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    packed = packed or zlib.compress(rows)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + sum_of(name + content)
        for name, content in chunks
    )


def sum_of(content):
    return struct.pack(">I", zlib.crc32(content))


def tiff(tags, pixels=b""):
    """tags: [(number, type, count, value or position)]; pixels: from byte 1,000 on."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(1000, b"\0") + pixels


def special_files(sound):
    """Files that were thought out rather than thrown at random: {name: bytes}."""
    gif, bmp, jpg = sound["grey.gif"], sound["colour.bmp"], sound["progressive.jpg"]
    start = jpg.index(b"\xff\xda")
    size = jpg.index(b"\xff\xc2") + 5
    large_jpg = jpg[:size] + struct.pack(">HH", 7000, 7000) + jpg[size + 4 :]
    # behind the marker of its size: 4 bytes, then width, height, two offsets, the tiles' sides
    (jp2, j2k, avif) = (sound["colour.jpeg2000"], sound["stream.j2k"], sound["colour.avif"])
    box, siz, ispe = jp2.index(b"ihdr") + 4, j2k.index(b"\xff\x51") + 6, avif.index(b"ispe") + 8
    run_lengths = bytearray(bmp[:54])
    run_lengths[18:34] = struct.pack("<iiHHI", 7000, 7000, 1, 8, 1)
    grey = [(256, 4, 1, 9), (257, 4, 1, 9), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 1000)]
    deep = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 16), (262, 3, 1, 2), (273, 4, 1, 1000)]
    rows = zlib.compress(bytes(171))
    many = [(1000 + k, 7, 90_000, 1000 + k) for k in range(80)]
    return {
        "empty.png": b"",
        "one byte.jpg": b"\xff",
        "text.png": b"these are words\n" * 100,
        "zeros.bmp": bytes(10_000),
        "a\nb \"quoted\" 'name' \N{OWL} $(x).png": b"no image",
        os.fsdecode(b"caf\xe9.png"): b"no image either",
        "no width.png": png(0, 4, 8, 0, bytes(4)),
        "no height.gif": gif[:6] + struct.pack("<HH", 40, 0) + gif[10:],
        "claims much.png": png(30_000, 30_000, 8, 2, bytes(100)),
        "claims much, deep.png": png(30_000, 30_000, 16, 2, bytes(100)),
        "claims the most.png": png(2**31 - 1, 2**31 - 1, 8, 2, bytes(100)),
        "claims half.png": png(7000, 7000, 8, 6, bytes(100)),
        "claims much.gif": gif[:6] + struct.pack("<HH", 65_535, 65_535) + gif[10:],
        "claims much.bmp": bmp[:18] + struct.pack("<ii", 30_000, 30_000) + bmp[26:],
        "claims half.bmp": bmp[:18] + struct.pack("<ii", 7000, 7000) + bmp[26:],
        "upside down.bmp": bmp[:22] + struct.pack("<i", -(2**31)) + bmp[26:],
        "claims much.jpg": jpg[:size] + struct.pack(">HH", 30_000, 30_000) + jpg[size + 4 :],
        "claims half.jpg": large_jpg,
        "scans.jpg": large_jpg[:start] + large_jpg[start:-2] * 500 + b"\xff\xd9",
        "claims much.ppm": b"P6 30000 30000 255\n" + bytes(100),
        "claims half.pgm": b"P2 7000 7000 255\n" + b"1 " * 100,
        "claims much.pbm": b"P4 30000 30000\n" + bytes(100),
        "claims half.pbm": b"P1 7000 7000\n" + b"1 " * 100,
        "claims two hundred.jpg": jpg[:size] + struct.pack(">HH", 14_000, 14_000) + jpg[size + 4 :],
        "claims much.jp2": jp2[:box] + struct.pack(">II", 30_000, 30_000) + jp2[box + 8 :],
        "claims another.jp2": jp2[:box] + struct.pack(">II", 3_000, 3_000) + jp2[box + 8 :],
        "claims much.j2k": j2k[:siz] + struct.pack(">II", 30_000, 30_000) + j2k[siz + 8 :],
        "tiles.j2k": j2k[:siz] + struct.pack(">6I", 3500, 3500, 0, 0, 20, 20) + j2k[siz + 24 :],
        "tile.j2k": j2k[:siz] + struct.pack(">6I", 3500, 3500, 0, 0, 3500, 3500) + j2k[siz + 24 :],
        "claims much.avif": avif[:ispe] + struct.pack(">II", 16_000, 16_000) + avif[ispe + 8 :],
        "claims half.avif": avif[:ispe] + struct.pack(">II", 7_000, 7_000) + avif[ispe + 8 :],
        "no photo.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
        "comments.ppm": b"P6" + b"#\n" * 100_000 + b" 1 1 255\n\0\0\0",
        "run lengths.bmp": bytes(run_lengths) + bytes(1024) + b"\x01\x05\x00\x00" * 7000,
        "text bomb.png": png(
            9, 9, 8, 0, bytes(90), (b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8), 1))
        ),
        "too many rows.png": png(9, 9, 8, 0, bytes(10**7)),
        "many tags.tiff": tiff(grey + many, bytes(100_000)),
        "circle.tiff": b"II*\0\x08\0\0\0\0\0" + struct.pack("<I", 8),
        "planes.tiff": tiff([*deep, (277, 3, 1, 3), (284, 3, 1, 2)], bytes(100)),
        "wrong sum.png": png(9, 9, 16, 0, b"", packed=rows[:-4] + bytes(4)),
        "more than its rows.png": png(9, 9, 16, 0, b"", packed=rows + rows),
        "too many rows, deep.png": png(9, 9, 16, 0, bytes(10**7)),
        "odd chunks.png": png(9, 9, 16, 2, bytes(495), (b"PLTE", b"odd!"), (b"tRNS", b"odd")),
        "large, white.png": png(7000, 7000, 1, 0, (b"\0" + b"\xff" * 875) * 7000),
    }


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(2**33)


SPECIAL = {  # which are no ordinary files: name -> what makes it
    "folder.png": os.mkdir,
    "pipe.png": os.mkfifo,
    "device.png": lambda path: os.symlink("/dev/zero", path),
    "nowhere.png": lambda path: os.symlink("missing", path),
    "loop.png": lambda path: os.symlink("loop.png", path),
    "missing.png": lambda path: None,
    "forbidden.png": lambda path: os.close(os.open(path, os.O_CREAT, 0)),
    "larger than memory.png": sparse,
}
