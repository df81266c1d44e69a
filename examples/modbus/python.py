"""Reads two registers of a PLC and writes one that is not there, with nothing but the standard library."""

import os
import struct
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def exchange(message):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=plc", message, headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


UNIT = 1


def ask(function, *words):
    """What comes behind the function code. The transaction id may be the same for all: the service gives each its own."""
    body = struct.pack(f">BB{len(words)}H", UNIT, function, *words)
    answer = exchange(struct.pack(">HHH", 1, 0, len(body)) + body)
    if answer[7] & 0x80:
        raise ValueError(f"exception {answer[8]}")
    return answer[8:]


registers = ask(3, 0, 2)
print(*struct.unpack(f">{registers[0] // 2}H", registers[1:]))
try:
    ask(6, 9999, 1)
except ValueError as exception:
    print(exception)
