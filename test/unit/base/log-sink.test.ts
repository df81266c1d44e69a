import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type LogOutlet, LogSink } from '../../../src/base/log-sink.ts'
import { DescriptorOutlet } from '../../../src/base/stderr-outlet.ts'
import { makeFifo } from '../../support/fifo.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

/** An outlet that does what the test says, call by call. */
class ScriptedOutlet implements LogOutlet {
  text = ''
  #settle: ((written: number | null) => void) | null = null

  write(bytes: Uint8Array, done: (written: number, error: Error | null) => void): void {
    this.#settle = taken => {
      this.#settle = null
      const written = taken ?? bytes.length
      this.text += Buffer.from(bytes.subarray(0, written)).toString()
      done(written, taken === null ? null : new Error('no room'))
    }
  }

  get isAsked(): boolean {
    return this.#settle !== null
  }

  take(): void {
    this.#settle?.(null)
  }

  failAfter(bytes: number): void {
    this.#settle?.(bytes)
  }
}

function sinkOn(outlet: LogOutlet, waitingBytesMax?: number): LogSink {
  return new LogSink({
    outlet,
    describeLoss: lines => `lost ${lines}\n`,
    ...(waitingBytesMax !== undefined && { waitingBytesMax }),
  })
}

test('LogSink writes what waited in one piece, in order', () => {
  const outlet = new ScriptedOutlet()
  const sink = sinkOn(outlet)
  for (const line of ['a\n', 'b\n', 'c\n']) sink.write(line)
  outlet.take()
  outlet.take()
  expect(outlet.text).toBe('a\nb\nc\n')
  expect(outlet.isAsked).toBe(false)
  expect(sink.dropped).toBe(0)
})

test('LogSink drops and counts what is beyond its bound, and says so once when the log flows again', () => {
  const outlet = new ScriptedOutlet()
  const sink = sinkOn(outlet, 10)
  sink.write('under way\n')
  for (let index = 0; index < 100; index++) sink.write('1234\n')
  expect(sink.dropped).toBe(98)
  while (outlet.isAsked) outlet.take()
  expect(outlet.text).toBe('under way\n1234\n1234\nlost 98\n')
  sink.write('after\n')
  outlet.take()
  expect(outlet.text).toMatch(/lost 98\nafter\n$/)
  expect(outlet.isAsked).toBe(false)
})

test('LogSink counts the lines of a write that failed, and tells of them after the first that succeeds', () => {
  const outlet = new ScriptedOutlet()
  const sink = sinkOn(outlet)
  sink.write('a\n')
  sink.write('b\n')
  outlet.failAfter(0)
  expect(sink.dropped).toBe(2)
  sink.write('c\n')
  outlet.failAfter(0)
  sink.write('d\n')
  outlet.take()
  // The report is lost too, and what it said is told again.
  outlet.failAfter(0)
  sink.write('e\n')
  outlet.take()
  outlet.take()
  expect(outlet.text).toBe('d\ne\nlost 3\n')
  expect(sink.dropped).toBe(3)
})

test('LogSink ends a line that was cut in two before it begins another', () => {
  const outlet = new ScriptedOutlet()
  const sink = sinkOn(outlet)
  sink.write('first\n')
  outlet.failAfter(2)
  sink.write('second\n')
  outlet.failAfter(1)
  sink.write('third\n')
  outlet.take()
  outlet.take()
  expect(outlet.text).toBe('first\nthird\nlost 1\n')
})

test('LogSink.flushed resolves when all is written, and in time where nobody reads', async () => {
  const outlet = new ScriptedOutlet()
  const sink = sinkOn(outlet)
  await sink.flushed()
  sink.write('a\n')
  const flushed = sink.flushed()
  outlet.take()
  await flushed
  sink.write('b\n')
  await sink.flushed(1)
  expect(outlet.text).toBe('a\n')
})

test('DescriptorOutlet tells of a full disk and goes on when there is room', () => {
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  const sink = sinkOn(new DescriptorOutlet(full))
  sink.write('a\n')
  sink.write('b\n')
  expect(sink.dropped).toBe(2)
})

test('DescriptorOutlet writes a file at once', async () => {
  const path = join(await makeFolder(), 'log')
  const file = openSync(path, 'a')
  onTestFinished(() => closeSync(file))
  sinkOn(new DescriptorOutlet(file)).write('a\n')
  expect(readFileSync(path, 'utf8')).toBe('a\n')
})

test('DescriptorOutlet never blocks: it waits beside the thread for whoever does not read', async () => {
  const { path } = await makeFifo()
  const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => closeSync(both))
  expect(() => {
    for (;;) writeSync(both, Buffer.alloc(4_096))
  }).toThrow('EAGAIN')
  const sink = sinkOn(new DescriptorOutlet(both), 10)
  for (let index = 0; index < 10; index++) sink.write('1234\n')
  expect(sink.dropped).toBe(7)
  const room = Buffer.alloc(1_048_576)
  readSync(both, room)
  await sink.flushed(10_000)
  const text = room.subarray(0, readSync(both, room)).toString()
  expect(text.replaceAll('\0', '')).toBe(`${'1234\n'.repeat(3)}lost 7\n`)
})
