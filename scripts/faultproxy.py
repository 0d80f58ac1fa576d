#!/usr/bin/env python3
"""A proxy in front of an HTTP service that breaks what it is told to break.

    scripts/faultproxy.py HOST:PORT [PEM]    prints the port on 127.0.0.1 that it listens on

With a file that holds a key and its certificate, it speaks TLS to its clients, and plain HTTP to the service.

Heads and bodies go through byte for byte, so that signatures made for the proxy's own address stay valid. It is told
what to do on its standard input, one JSON value a line, and answers each with a line; it ends with its input.

    [RULE...]   replaces the rules           -> the number of times each of the old ones was used
    "counts"                                 -> the number of times each rule was used

A rule is an object. What it applies to, all optional:
    method   whole name           target  regular expression, found in path and query
    skip     lets as many requests through first           times  is used up after as many (default 1)
What it does, one of:
    status CODE [headers {}] [body ""] [forward true]   answers so; with `forward` after the service has done the work
    reset "request"               cuts the connection before the request is read
    reset "upload" at N           cuts it, both ways, after N bytes of the request's body
    reset "answer"                cuts it once the service has answered, and keeps the answer
    reset "download" at N         cuts it after N bytes of the answer's body
    truncate N                    ends the connection in order after N bytes of the answer's body
    corrupt N                     changes byte N of the answer's body
    corrupt_upload N              changes byte N of the request's body
    stall SECONDS                 is silent for so long after the request was read, then cuts the connection
"""
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time

CHUNK = 1 << 18


class Broken(Exception):
    """The connection has been cut, by us or by somebody else."""


class Rules:
    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []

    def counts(self):
        with self.lock:
            return [rule["used"] for rule in self.rules]

    def replace(self, rules):
        counts = self.counts()
        with self.lock:
            self.rules = [dict(rule, seen=0, used=0) for rule in rules]
        return counts

    def take(self, method, target):
        with self.lock:
            for rule in self.rules:
                if rule.get("method", method) != method or not re.search(rule.get("target", ""), target):
                    continue
                rule["seen"] += 1
                if rule["seen"] <= rule.get("skip", 0) or rule["used"] >= rule.get("times", 1):
                    continue
                rule["used"] += 1
                return rule
        return {}


RULES = Rules()


class Peer:
    """One side of a connection, read with a buffer."""

    def __init__(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.buffer = b""

    def more(self):
        try:
            data = self.sock.recv(CHUNK)
        except OSError as error:
            raise Broken from error
        if not data:
            raise Broken
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        end = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:end], self.buffer[end:]
        return data

    def some(self, limit):
        if not self.buffer:
            self.more()
        data, self.buffer = self.buffer[:limit], self.buffer[limit:]
        return data

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Broken from error

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.sock.close()


class Head:
    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.first = lines[0].split(" ", 2)
        self.fields = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                self.fields[name.strip().lower()] = value.strip()

    def has_length(self):
        return "content-length" in self.fields or "chunked" in self.fields.get("transfer-encoding", "")


def body(source, head, to_end=False):
    """The pieces of a message's body as they are on the wire; the second of each pair is false for framing."""
    if "chunked" in head.fields.get("transfer-encoding", ""):
        while True:
            line = source.until(b"\r\n")
            yield line, False
            left = int(line.split(b";")[0], 16)
            if left == 0:
                while line != b"\r\n":
                    line = source.until(b"\r\n")
                    yield line, False
                return
            while left:
                piece = source.some(min(left, CHUNK))
                left -= len(piece)
                yield piece, True
            yield source.until(b"\r\n"), False
    elif "content-length" in head.fields:
        left = int(head.fields["content-length"])
        while left:
            piece = source.some(min(left, CHUNK))
            left -= len(piece)
            yield piece, True
    elif to_end:
        while True:
            try:
                piece = source.some(CHUNK)
            except Broken:
                return
            yield piece, True


def copy(pieces, send, corrupt=None, cut_at=None):
    """Sends the pieces on. False when it stopped after `cut_at` bytes of content."""
    position = 0
    for piece, is_content in pieces:
        if is_content:
            if corrupt is not None and position <= corrupt < position + len(piece):
                index = corrupt - position
                piece = piece[:index] + bytes([piece[index] ^ 1]) + piece[index + 1:]
            if cut_at is not None and position + len(piece) >= cut_at:
                send(piece[:cut_at - position])
                return False
            position += len(piece)
        send(piece)
    return True


def nothing(_):
    pass


def exchange(client, service, connect):
    """One request and its answer. Returns the connection to the service, to be used again."""
    request = Head(client.until(b"\r\n\r\n"))
    method, target = request.first[0], request.first[1]
    rule = RULES.take(method, target)
    reset = rule.get("reset")
    if reset == "request":
        client.reset()
        raise Broken
    if "status" in rule and not rule.get("forward"):
        copy(body(client, request), nothing)
        answer(client, rule, method)
        return service
    if "stall" in rule:
        copy(body(client, request), nothing)
        time.sleep(rule["stall"])
        client.reset()
        raise Broken

    service = service or connect()
    service.send(request.raw)
    cut_at = rule.get("at", 0) if reset == "upload" else None
    if not copy(body(client, request), service.send, rule.get("corrupt_upload"), cut_at):
        service.reset()
        client.reset()
        raise Broken
    while True:
        reply = Head(service.until(b"\r\n\r\n"))
        status = int(reply.first[1])
        if status >= 200:
            break
        client.send(reply.raw)
    has_body = method != "HEAD" and status not in (204, 304)
    pieces = body(service, reply, to_end=not reply.has_length()) if has_body else []
    if reset == "answer" or "status" in rule:
        copy(pieces, nothing)
        if reset:
            client.reset()
            raise Broken
        answer(client, rule, method)
        return service
    client.send(reply.raw)
    cut_at = rule.get("at", 0) if reset == "download" else rule.get("truncate")
    if not copy(pieces, client.send, rule.get("corrupt"), cut_at):
        service.reset()
        if reset:
            client.reset()
        else:
            client.close()
        raise Broken
    if reply.fields.get("connection", "").lower() == "close" or (has_body and not reply.has_length()):
        raise Broken
    return service


def answer(client, rule, method):
    content = rule.get("body", "").encode()
    lines = ["HTTP/1.1 %d Fault" % rule["status"], "Content-Length: %d" % len(content)]
    lines += ["%s: %s" % item for item in rule.get("headers", {}).items()]
    client.send("\r\n".join(lines + ["", ""]).encode() + (b"" if method == "HEAD" else content))


def serve(sock, address, tls):
    client, service = None, None
    try:
        client = Peer(tls.wrap_socket(sock, server_side=True) if tls else sock)
        while True:
            service = exchange(client, service, lambda: Peer(socket.create_connection(address)))
    except (Broken, OSError):
        pass
    finally:
        for peer in (client, service):
            if peer:
                peer.close()


def accept(listener, address, tls):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, address, tls), daemon=True).start()


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=accept, args=(listener, (host, int(port)), tls), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(RULES.counts() if command == "counts" else RULES.replace(command)), flush=True)


main()
