"""Lines by asyncio's readline. `asyncio-lines.py PORT`; each line of stdin is a run of so many lines, answered with
`LINES MICROSECONDS`."""
import asyncio
import sys
import time

LINE_BYTES = 100


async def main() -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    while order := sys.stdin.readline():
        lines = int(order)
        began = time.perf_counter()
        writer.write((lines * LINE_BYTES).to_bytes(8, "big"))
        total = 0
        for _ in range(lines):
            total += len(await reader.readline())
        if total != lines * LINE_BYTES:
            sys.exit(f"{total} bytes came")
        print(lines, round((time.perf_counter() - began) * 1e6), flush=True)


asyncio.run(main())
