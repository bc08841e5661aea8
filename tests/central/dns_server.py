#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A name server for tests: dns_server.py FOLDER. Listens on a port of 127.0.0.1, UDP and TCP, and
writes it to FOLDER/port. FOLDER/zone.json says what is asked for and how it answers, read anew for
each question: {"_prism-challenge.acme.com": {"txt": ["..."], "how": "..."}}. FOLDER/asked has a
line for each question: "udp NAME TYPE".

how: ok; tcp (truncated over UDP); nodata; nxdomain; servfail; refused; wrong-id; silent;
other-name (the record of somebody else); cname; garbage; short (cut in the middle); lying-length;
loop (compression that points at itself).
"""
import json
import os
import socket
import struct
import sys
import threading

folder = sys.argv[1]


def labels(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def record(owner, kind, data):
    return owner + struct.pack(">HHIH", kind, 1, 0, len(data)) + data


def text(value):
    # Strings of 40 characters: a record may have many.
    value = value.encode()
    parts = [value[i : i + 40] for i in range(0, len(value), 40)]
    return b"".join(bytes([len(p)]) + p for p in parts)


def read_name(query):
    at, parts = 12, []
    while query[at]:
        parts.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += query[at] + 1
    return ".".join(parts).lower(), at + 1


RCODES = {"nxdomain": 3, "servfail": 2, "refused": 5}
SELF = b"\xc0\x0c"


def build(query, tcp):
    name, end = read_name(query)
    kind = struct.unpack(">H", query[end : end + 2])[0]
    question = query[12 : end + 4]
    with open(os.path.join(folder, "asked"), "a") as log:
        log.write(f"{'tcp' if tcp else 'udp'} {name} {kind}\n")
    with open(os.path.join(folder, "zone.json")) as zone:
        entry = json.load(zone).get(name, {"how": "nxdomain"})
    how, texts = entry.get("how", "ok"), entry.get("txt", [])
    ident, flags, answers = query[:2], 0x8180 | RCODES.get(how, 0), []
    if how == "silent":
        return None
    if how == "wrong-id":
        ident = bytes([ident[0] ^ 0xFF, ident[1]])
    if how == "tcp" and not tcp:
        flags |= 0x0200
    elif how == "cname":
        answers.append(record(SELF, 5, labels("elsewhere.example")))
        answers += [record(labels("elsewhere.example"), 16, text(t)) for t in texts]
    elif how == "other-name":
        answers += [record(labels("_prism-challenge.other.example"), 16, text(t)) for t in texts]
    elif how == "lying-length":
        answers += [record(SELF, 16, b"\xff" + t.encode()) for t in texts]
    elif how == "loop":
        at = 12 + len(question)
        answers.append(record(struct.pack(">H", 0xC000 | at), 16, b"\1x"))
    elif how not in RCODES and how != "nodata":
        answers += [record(SELF, 16, text(t)) for t in texts]
    packet = ident + struct.pack(">5H", flags, 1, len(answers), 0, 0) + question + b"".join(answers)
    if how == "short":
        packet = packet[:-10]
    if how == "garbage":
        packet = ident + b"\x81\x80" + b"\xff" * 40
    return packet


def udp(sock):
    while True:
        query, peer = sock.recvfrom(4096)
        reply = build(query, False)
        if reply:
            sock.sendto(reply, peer)


def tcp(sock):
    while True:
        with sock.accept()[0] as peer:
            peer.settimeout(5)
            try:
                head = peer.recv(2, socket.MSG_WAITALL)
                query = peer.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
                reply = build(query, True)
                if reply:
                    peer.sendall(struct.pack(">H", len(reply)) + reply)
            except OSError:
                pass


def main():
    for _ in range(100):
        stream = socket.socket()
        stream.bind(("127.0.0.1", 0))
        dgram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            dgram.bind(stream.getsockname())
            break
        except OSError:
            stream.close()
            dgram.close()
    stream.listen(8)
    threading.Thread(target=tcp, args=(stream,), daemon=True).start()
    with open(os.path.join(folder, "port.new"), "w") as out:
        out.write(str(stream.getsockname()[1]))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    udp(dgram)


main()
