"""Sends an HL7 message and prints how it was acknowledged, with nothing but the standard library."""

import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def exchange(message):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=hospital", message, headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


SEGMENTS = [
    "MSH|^~\\&|LAB|EAST|ADT|WEST|20260301120000||ADT^A01|7|P|2.7",
    "PID|1||4711||LOVELACE^ADA",
]
message = "".join(segment + "\r" for segment in SEGMENTS)
answer = exchange(b"\x0b" + message.encode() + b"\x1c\r")[1:-2].decode()
[acknowledged] = [segment.split("|") for segment in answer.split("\r") if segment.startswith("MSA|")]
if acknowledged[2] != "7":
    raise ValueError(f"this acknowledges {acknowledged[2]}")
print(*acknowledged[1:3])
