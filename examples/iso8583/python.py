"""Buys for 50.00 and prints type, response code and trace number of the answer, with the standard library alone."""

import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def exchange(message):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=bank", message, headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


# How long the fields are that have a fixed length; field 2 begins with its own.
LENGTHS = {3: 6, 4: 12, 7: 10, 11: 6, 39: 2, 41: 8, 49: 3}


def encode(kind, fields):
    bitmap = 1 << 127
    for field in fields:
        bitmap |= 1 << (128 - field)
    texts = [f"{len(text):02}{text}" if field == 2 else text for field, text in sorted(fields.items())]
    message = kind.encode() + bitmap.to_bytes(16, "big") + "".join(texts).encode()
    return len(message).to_bytes(2, "big") + message


def decode(message):
    bitmap = int.from_bytes(message[6:22], "big")
    fields, place = {}, 22
    for field in (field for field in range(2, 129) if bitmap >> (128 - field) & 1):
        fields[field] = message[place : place + LENGTHS[field]].decode()
        place += LENGTHS[field]
    return message[2:6].decode(), fields


purchase = {
    2: "4761739001010119",
    3: "000000",
    4: "000000005000",
    7: "0301120000",
    11: "000042",
    41: "TERM0001",
    49: "840",
}
kind, fields = decode(exchange(encode("0200", purchase)))
print(kind, fields[39], fields[11])
