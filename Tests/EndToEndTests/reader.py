"""Reads a snapshot by docs/snapshot-format.md alone and compares it with a data directory: reader.py SNAPSHOT DATA."""

import ctypes
import hashlib
import os
import struct
import sys

SNAPSHOT, DATA = sys.argv[1:]
ZSTD = ctypes.CDLL("libzstd.so.1")
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
CASTAGNOLI = []
for index in range(256):
    value = index
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    CASTAGNOLI.append(value)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CASTAGNOLI[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


class Reader:
    def __init__(self, data):
        self.data, self.offset = data, 0

    def raw(self, count):
        assert self.offset + count <= len(self.data)
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def fixed(self, code):
        return struct.unpack("<" + code, self.raw(struct.calcsize(code)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.fixed("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def string(self):
        return self.raw(self.varint()).decode()

    def locations(self):
        pack, offset = 0, 16
        while True:
            difference = self.zigzag()
            pack += difference
            if difference:
                offset = 16
            offset += self.zigzag()
            size = self.varint()
            yield pack, offset, size, self.fixed("I")
            offset += size

    def end(self):
        assert self.offset == len(self.data)


with open(f"{SNAPSHOT}/manifest", "rb") as file:
    manifest = file.read()
assert manifest[:16] == b"ZENITHMF" + struct.pack("<II", 1, 0)
assert hashlib.sha256(manifest[:-32]).digest() == manifest[-32:]
body, sections = Reader(manifest[16:-32]), {}
while body.offset < len(body.data):
    kind = body.fixed("B")
    sections[kind] = Reader(body.raw(body.varint()))

identity = sections[1]
timeline, start, end = identity.raw(16).hex(), identity.fixed("Q"), identity.fixed("Q")
created = identity.fixed("q")
identity.string(), identity.string()
identity.fixed("Q"), identity.varint(), identity.fixed("I"), identity.fixed("I"), identity.fixed("I")
assert identity.varint() == 8192
segment_blocks, wal_segment_bytes = identity.varint(), identity.varint()
identity.fixed("B"), identity.string()
identity.end()
assert os.path.basename(SNAPSHOT).startswith(f"{timeline}_{start:016X}_{end:016X}_") and created % 1_000_000 == 0

packs = []
for _ in range(sections[2].varint()):
    name, size, digest = sections[2].string(), sections[2].varint(), sections[2].raw(32)
    with open(f"{SNAPSHOT}/{name}", "rb") as file:
        content = file.read()
    assert len(content) == size and hashlib.sha256(content).digest() == digest
    assert name.endswith(digest.hex()[:16]) and content[:16] == b"ZENITHPK" + struct.pack("<II", 1, 0)
    packs.append(content)
sections[2].end()


def expand(location, size):
    pack, offset, stored, crc = location
    frame = packs[pack][offset : offset + stored]
    # Byte by byte in Python is slow: large frames are left to zstd and the comparison.
    assert stored > 4096 or crc32c(frame) == crc
    content = ctypes.create_string_buffer(size)
    assert ZSTD.ZSTD_decompress(content, size, frame, stored) == size
    return content.raw


forks, place = sections[4], sections[4].locations()
tablespace = database = relation = 0
for _ in range(forks.varint()):
    difference = forks.varint()
    tablespace += difference
    if difference:
        database = relation = 0
    difference = forks.varint()
    database += difference
    if difference:
        relation = 0
    relation += forks.varint()
    fork, blocks, frames, block, content = forks.fixed("B"), forks.varint(), forks.varint(), 0, b""
    for _ in range(frames):
        pages = 0
        for _ in range(forks.varint()):
            assert forks.varint() == 0  # a complete snapshot leaves no block out
            pages += forks.varint()
        content += expand(next(place), pages * 8192)
    assert len(content) == blocks * 8192 and blocks <= segment_blocks
    path = f"global/{relation}" if tablespace == 1664 else f"base/{database}/{relation}"
    with open(f"{DATA}/{path}{['', '_fsm', '_vm', '_init'][fork]}", "rb") as file:
        assert file.read() == content, path
forks.end()

files, place = sections[5], sections[5].locations()
for _ in range(files.varint()):
    path, kind, mode, size, content = files.string(), files.fixed("B"), files.varint(), files.varint(), b""
    for _ in range(files.varint()):
        length = files.varint()
        content += expand(next(place), length)
    if kind == 1:
        assert os.path.isdir(f"{DATA}/{path}"), path
        continue
    with open(f"{DATA}/{path}", "rb") as file:
        original = file.read()
    assert len(original) == size and original.startswith(content), path
    assert os.stat(f"{DATA}/{path}").st_mode & 0o7777 == mode, path
    assert path.startswith("pg_wal/0") or len(content) == size, path
files.end()
print("all forks and files equal")
