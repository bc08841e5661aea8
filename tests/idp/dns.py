#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A name server for the tests: dns.py HOST:PORT FILE

Answers TXT questions over UDP from FILE, which has one record a line, "NAME TEXT", and is read anew for
every question. Names that are not there do not exist. Prints its port when it is ready.
"""
import socket
import struct
import sys

TXT, IN = 16, 1
NO_ERROR, NO_NAME = 0, 3


def records(path, name):
    with open(path, encoding="ascii") as source:
        for line in source:
            owner, _, text = line.strip().partition(" ")
            if owner.lower().rstrip(".") == name and text:
                yield text.encode()


def read_name(packet, at):
    labels = []
    while packet[at]:
        size = packet[at]
        if size > 63:
            raise ValueError("a compressed question")
        labels.append(packet[at + 1:at + 1 + size].decode("ascii").lower())
        at += 1 + size
    return ".".join(labels), at + 1


def answer(packet, path):
    ident, flags, questions = struct.unpack_from("!HHH", packet)
    if flags & 0x8000 or questions != 1:
        raise ValueError("no question")
    name, end = read_name(packet, 12)
    kind, _ = struct.unpack_from("!HH", packet, end)
    found = list(records(path, name))
    code = NO_ERROR if found else NO_NAME
    if kind != TXT:
        found = []
    body = b""
    for text in found:
        data = b"".join(bytes([len(part)]) + part for part in (text[i:i + 255] for i in range(0, len(text), 255)))
        body += struct.pack("!HHHIH", 0xc00c, TXT, IN, 60, len(data)) + data
    head = struct.pack("!HHHHHH", ident, 0x8480 | (flags & 0x0100) | code, 1, len(found), 0, 0)
    return head + packet[12:end + 4] + body


def main():
    host, _, port = sys.argv[1].rpartition(":")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((host, int(port)))
    print(server.getsockname()[1], flush=True)
    while True:
        packet, peer = server.recvfrom(4096)
        try:
            server.sendto(answer(packet, sys.argv[2]), peer)
        except (ValueError, IndexError, struct.error):
            continue


if __name__ == "__main__":
    main()
