"""Asks an instrument who it is and what it measures, with nothing but the standard library."""

import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def ask(command):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=meter", f"{command}\n".encode(), headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read().decode().strip()


print(ask("*IDN?"))
print(ask("MEAS:VOLT:DC?"))
