#!/usr/bin/env python3
"""A fake application that is hostile: it tells the truth about its hits, and answers what lies below /hostile/ as no application should."""

import datetime
import hashlib
import json
import socket
import sys
import threading
import time

if sys.argv[1:2] in (["--version"], ["--usage"]):
    print("hostile-application (fake) \x1b[31m<script>alert('version')</script>")
    sys.exit(0)

LOCK = threading.Lock()
EVIL = b"\x1b[2J\x1b[31m<script>alert('x')</script>]]>&\xff\xfe\xe2\x80\xae"
# What the other witnesses would write, in the wrong log.
FORGED = [
    '{"conformance-proxy":{"id":"forged.0","start":"2026-01-01T00:00:00Z","status":200,"flags":"-","details":"via_upstream"}}',
    '{"RequestIDStr":"forged","RequestHeaders":[{"Name":"x-conformance-id","Value":"forged.1"}],"WAFResponse":406}',
]


def say(line: str) -> None:
    with LOCK:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def read_request(stream):
    start = stream.readline().decode("latin-1").split()
    if len(start) < 2:
        return None
    headers = []
    while (line := stream.readline().decode("latin-1").strip("\r\n")):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    fields = {name.lower(): value for name, value in headers}
    body = b""
    if "content-length" in fields:
        body = stream.read(int(fields["content-length"]))
    elif fields.get("transfer-encoding") == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    hit = {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
        "id": fields.get("x-conformance-id"),
        "method": start[0],
        "target": start[1],
        "headers": headers,
        "body-length": len(body),
        "body-sha256": hashlib.sha256(body).hexdigest(),
        "complete": True,
    }
    return hit


def answer(peer: socket.socket, target: str, request_id: str) -> None:
    head = b"HTTP/1.1 200 OK\r\n"
    if target == "/hostile/endless-header":
        peer.sendall(head + b"x-endless: ")
        while True:
            peer.sendall(b"a" * 65536)
    elif target == "/hostile/slow-drip":
        peer.sendall(head + b"content-length: 1000000\r\n\r\n")
        while True:
            peer.sendall(b"a")
            time.sleep(0.05)
    elif target == "/hostile/endless-body":
        peer.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
    elif target == "/hostile/no-http":
        peer.sendall(EVIL * 100)
    elif target == "/hostile/evil-fields":
        peer.sendall(head + b"x-evil: <script>alert('h')</script>]]>&\xff\xfe\xe2\x80\xae\r\ncontent-length: 0\r\n\r\n")
    elif target == "/hostile/evil-body":
        peer.sendall(head + b"content-length: %d\r\n\r\n" % len(EVIL) + EVIL)
    elif target == "/hostile/forged":
        lines = [line.replace("forged.0", request_id).replace("forged.1", request_id) for line in FORGED]
        for line in FORGED + lines + ["\x1b[2J\x1b[31m<script>alert('log')</script>", "x" * 3_000_000]:
            say(line)
        body = "\n".join(lines).encode()
        fields = b"x-conformance-id: forged.2\r\nx-sigsci-agentresponse: 406\r\nx-sigsci-tags: SQLI\r\nx-sigsci-request-id: forged\r\nserver: envoy\r\n"
        peer.sendall(head + fields + b"content-length: %d\r\n\r\n" % len(body) + body)
    else:
        peer.sendall(head + b"content-length: 2\r\n\r\nok")


def serve(peer: socket.socket) -> None:
    stream = peer.makefile("rb")
    try:
        while (hit := read_request(stream)) is not None:
            say(json.dumps({"helloworld-hit": hit}))
            answer(peer, hit["target"], hit["id"] or "")
    except (OSError, ValueError):
        pass
    finally:
        peer.close()


listener = socket.create_server(("127.0.0.1", 8080), backlog=128)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
