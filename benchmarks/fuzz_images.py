"""What broken and hostile files do to the image reader. There is nothing to look at if all is well.

    python benchmarks/fuzz_images.py                        # 2,000 files, under a minute
    python benchmarks/fuzz_images.py --files 150 --seed 7   # other files, for another seed

Sound files of every format are cut, bent and mixed up; to these come links, pipes, bombs and
the like. A process of its own reads one after the other, and if one kills it, that file is named.
Exit code 1: a crash, an exception other than ValueError, a message that is not one line with
the file's name, a line written past Python, over two seconds for a file, or over 1 GB of memory.
"""

import argparse
import base64
import io
import multiprocessing
import os
import resource
import struct
import sys
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.data import images
from pyimagesearch.system import terminal
from pyimagesearch.system.terminal import printable

SHAPE = (28, 28, 3)
PATIENCE = 20  # seconds before a file counts as a crash


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--files", type=int, default=2000)
    ap.add_argument("--seed", type=int, default=0)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(folder, args.files, args.seed)
        errors = os.path.join(folder, "stderr.txt")
        results = read_all(paths, errors)
        with open(errors, "rb") as file:
            written = file.read().decode(errors="replace").splitlines()
    sys.exit(report(results, written))


def report(results, written):
    """Print what came of each file. Returns the exit code."""
    outcomes = [outcome for _, outcome, _, _ in results]
    (slowest, name) = max((seconds, name) for name, _, seconds, _ in results)
    peak = max(memory for _, _, _, memory in results)
    bad = [f"{name}: {outcome}" for name, outcome, _, _ in results if outcome not in GOOD]
    bad += [f"written to stderr: {line}" for line in sorted(set(written))[:10]]
    others = len(bad) - outcomes.count("crash")
    print(f"files    {len(results):,}\nread     {outcomes.count('read'):,}")
    print(f"refused  {outcomes.count('refused'):,}\ncrashes  {outcomes.count('crash'):,}")
    print(f"others   {others:,}\nslowest  {slowest:.2f} s  ({name})")
    print(f"memory   {peak / 1e6:,.0f} MB at most", *bad, sep="\n")
    return int(bool(bad) or slowest > 2 or peak > 1e9)


GOOD = ("read", "refused")


def read_all(paths, errors):
    """[(name, outcome, seconds, peak memory in bytes)], from as many processes as it takes."""
    context = multiprocessing.get_context("spawn")
    results, reader = [], None
    for path in paths:
        if reader is None:
            (pipe, other) = context.Pipe()
            reader = context.Process(target=serve, args=(other, errors), daemon=True)
            reader.start()
            other.close()
            pipe.recv()  # it has imported everything
        start = time.perf_counter()
        pipe.send(path)
        try:
            if not pipe.poll(PATIENCE):
                raise EOFError
            (outcome, seconds, memory) = pipe.recv()
        except (EOFError, OSError):
            (outcome, seconds, memory) = ("crash", time.perf_counter() - start, 0)
            reader.kill()
            reader.join()
            reader = None
        results.append((printable(os.path.basename(path)), outcome, seconds, memory))
    if reader:
        pipe.send(None)
        reader.join()
    return results


def serve(pipe, errors):
    """Read the files whose paths come through the pipe, until None comes."""
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    terminal.setup(keras=False)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    pipe.send("ready")
    while (path := pipe.recv()) is not None:
        (start, work) = (time.perf_counter(), time.process_time())
        outcome = read(path)
        # on a busy machine the time that it worked itself
        seconds = min(time.perf_counter() - start, time.process_time() - work)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        pipe.send((outcome, seconds, memory))


def read(path):
    try:
        image = images.read_image(path, SHAPE)
    except ValueError as error:
        clear = str(error).startswith(printable(path)) and str(error).isprintable()
        return "refused" if clear else f"unclear message {error!r}"
    except BaseException as error:
        return f"raised {error!r}"
    return "read" if image.shape == SHAPE and image.dtype == np.uint8 else "a wrong shape"


def write_files(folder, count, seed):
    """Their paths: sound files first, then the special ones, and broken ones up to the count."""
    rng = np.random.default_rng(seed)
    sound = sound_files(rng)
    special = special_files(sound)
    contents = [*sound.items(), *special.items()]
    names = list(sound)
    while len(contents) < count - len(SPECIAL):
        name, other = rng.choice(names, 2)
        change = rng.choice(list(CHANGES))
        data = CHANGES[change](sound[name], rng, sound[other])
        contents.append((f"{len(contents):05}-{change}-{name}", data))
    paths = []
    for name, data in contents:
        paths.append(os.path.join(folder, name))
        Path(paths[-1]).write_bytes(data)
    for name, make in SPECIAL.items():
        paths.append(os.path.join(folder, name))
        make(paths[-1])
    return paths


HEIC = (  # 8 x 8 pixels of (200, 100, 50)
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAADQAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "AA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw"
    "AAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPB"
    "iQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAACAAAAAEAAAAIAAAAAf///8gAAAAC"
    "////yAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAPG1kYXQAAAAwKAGvCchZmNA5I1d/"
    "/haf/9pSaH6RhbVn8Tr+gOxlOspDn0Sxk847vgyAh4O4Xstw"
)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sound_files(rng):
    """{name: bytes}: every format, and every way of storing pixels that the reader knows."""
    noise = rng.integers(0, 256, (37, 41, 4), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    colour = Image.fromarray(smooth[:, :, :3])
    alpha = Image.fromarray(smooth)
    modes = {
        "grey": colour.convert("L"),
        "colour": colour,
        "alpha": alpha,
        "greyalpha": alpha.convert("LA"),
        "palette": colour.quantize(32),
        "bit": colour.convert("1"),
        "cmyk": colour.convert("CMYK"),
    }
    exif = Image.Exif()
    exif[274] = 6
    files = {}
    for kind in ("BMP", "GIF", "JPEG", "PNG", "PPM", "AVIF", "JPEG2000", "TIFF", "WEBP"):
        for mode, picture in modes.items():
            with suppress(OSError, ValueError):  # which not every kind can hold
                files[f"{mode}.{kind.lower()}"] = encoded(picture, kind)
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        files[f"{packing}.tiff"] = encoded(colour, "TIFF", compression=packing)
    files["group4.tiff"] = encoded(modes["bit"], "TIFF", compression="group4")
    files["progressive.jpg"] = encoded(colour, "JPEG", progressive=True, exif=exif)
    files["lossless.webp"] = encoded(alpha, "WEBP", lossless=True, exif=exif)
    files["turned.png"] = encoded(colour, "PNG", exif=exif)
    files["stream.j2k"] = encoded(colour, "JPEG2000", no_jp2=True, num_resolutions=3)
    files["tiles.jp2"] = encoded(colour, "JPEG2000", tile_size=(16, 16), irreversible=True)
    if "HEIF" in images.FORMATS:
        files["photo.heic"] = base64.b64decode(HEIC)
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        files[f"several.{kind.lower()}"] = encoded(
            colour, kind, save_all=True, append_images=[colour.rotate(90)]
        )
    deep = smooth.astype(np.uint16) * 257
    for channels in (1, 3, 4):
        for ending in (".png", ".tiff"):
            data = cv2.imencode(ending, deep[:, :, :channels])[1].tobytes()
            files[f"deep{channels}{ending}"] = data
    for kind, values in (("P2", noise[:, :, 0]), ("P3", noise[:, :, :3])):
        text = " ".join(map(str, values.ravel()))
        files[f"text{kind}.ppm"] = f"{kind}\n# 41 x 37\n41 37\n255\n{text}\n".encode()
    files["deep.ppm"] = cv2.imencode(".ppm", deep[:, :, :3])[1].tobytes()
    return files


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
        "text.png": b"these are words\n" * 100,
        "a\nb \"quoted\" 'name' \N{OWL} $(x).png": b"no image",
        os.fsdecode(b"caf\xe9.png"): b"no image either",
        "no width.png": png(0, 4, 8, 0, bytes(4)),
        "no height.gif": gif[:6] + struct.pack("<HH", 40, 0) + gif[10:],
        "claims much.png": png(30_000, 30_000, 8, 2, bytes(100)),
        "claims much, deep.png": png(30_000, 30_000, 16, 2, bytes(100)),
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
        "many comments.pgm": b"P2 9 9 255\n" + b"#\n" * 500_000,
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


if __name__ == "__main__":
    main()
