#!/usr/bin/env python3
"""A proxy in front of any TCP service that breaks connections where it is told to.

    scripts/tcpproxy.py HOST:PORT    prints the port on 127.0.0.1 that it listens on

It is told what to do on its standard input, one JSON value a line, and answers each with a line; it ends with its input.

    [RULE...]   replaces the rules           -> the number of times each of the old ones was used
    "counts"                                 -> the number of times each rule was used
    "connections"                            -> the number of connections so far

A rule is an object:
    on "up" | "down" at N     once more than N bytes have come this way on one connection since the rule was given (or
                              since the connection began): exactly N are passed on
    do "reset"                cuts the connection, both ways
    do "stall" for SECONDS    passes nothing on any more, and then cuts
    do "refuse"               cuts a connection at its beginning (no `on`)
    do "gather" COUNT         passes nothing on until so many connections have come to this place
    times                     is used up after as many (default 1)
"""
import json
import socket
import struct
import sys
import threading
import time

CHUNK = 1 << 16
LOCK = threading.Lock()
RULES = []
CONNECTIONS = set()
ACCEPTED = 0


def reset(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def take(action):
    """A rule without a place that is not used up, used."""
    with LOCK:
        for rule in RULES:
            if rule["do"] == action and rule["used"] < rule.get("times", 1):
                rule["used"] += 1
                return rule
    return None


class Connection:
    def __init__(self, client, service):
        self.client, self.service = client, service
        self.passed = {"up": 0, "down": 0}
        self.stalled = threading.Event()
        with LOCK:
            CONNECTIONS.add(self)
        threading.Thread(target=self.pump, args=("up", client, service), daemon=True).start()
        threading.Thread(target=self.pump, args=("down", service, client), daemon=True).start()

    def end(self):
        with LOCK:
            CONNECTIONS.discard(self)
        reset(self.client)
        reset(self.service)

    def due(self, way, count):
        """How many of `count` more bytes may pass, and the rule that then applies, if one does."""
        with LOCK:
            before = self.passed[way]
            self.passed[way] += count
            for rule in RULES:
                if rule.get("on") != way or rule["used"] >= rule.get("times", 1):
                    continue
                place = rule["base"].get((self, way), 0) + rule["at"]
                if before <= place < before + count:
                    rule["used"] += 1
                    return place - before, rule
        return count, None

    def pump(self, way, source, target):
        try:
            while True:
                data = source.recv(CHUNK)
                if not data:
                    break
                count, rule = self.due(way, len(data))
                if self.stalled.is_set():
                    continue
                target.sendall(data[:count])
                if rule is None:
                    continue
                if rule["do"] == "gather":
                    rule["barrier"].wait()
                    target.sendall(data[count:])
                    continue
                if rule["do"] == "stall":
                    self.stalled.set()
                    time.sleep(rule["for"])
                elif way == "down":
                    # A cut throws away what lies unread on the other side: a moment, so that it comes that far.
                    time.sleep(0.2)
                break
        except OSError:
            pass
        self.end()


def accept(listener, address):
    global ACCEPTED
    while True:
        client, _ = listener.accept()
        ACCEPTED += 1
        if take("refuse"):
            reset(client)
            continue
        try:
            service = socket.create_connection(address)
        except OSError:
            reset(client)
            continue
        for sock in (client, service):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Connection(client, service)


def replace(rules):
    global RULES
    with LOCK:
        counts = [rule["used"] for rule in RULES]
        base = {(one, way): one.passed[way] for one in CONNECTIONS for way in ("up", "down")}
        RULES = [dict(rule, used=0, base=base) for rule in rules]
        for rule in RULES:
            if rule["do"] == "gather":
                rule["barrier"] = threading.Barrier(rule["count"])
    return counts


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=accept, args=(listener, (host, int(port))), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if command == "connections":
            answer = ACCEPTED
        elif command == "counts":
            answer = [rule["used"] for rule in RULES]
        else:
            answer = replace(command)
        print(json.dumps(answer), flush=True)


main()
