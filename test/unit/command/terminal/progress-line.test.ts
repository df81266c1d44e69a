import { PassThrough } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { ProgressLine, progressText } from '../../../../src/command/terminal/progress-line.ts'

function terminal(columns: number) {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns, rows: 24 })
  const clock = { nowMs: 0 }
  const line = new ProgressLine(stream, () => clock.nowMs)
  onTestFinished(() => line[Symbol.dispose]())
  return { line, clock, drawn: () => String(stream.read() ?? '') }
}

const SENDING = { what: 'sending', unit: 'bytes', total: 2_097_152 } as const

test('a progress line says how far it is, and how fast', () => {
  expect(progressText(SENDING, 524_288, 500)).toBe(
    'sending [######..................] 25%  512 KiB of 2 MiB  1 MiB/s  0s',
  )
  expect(progressText({ ...SENDING, total: null }, 524_288, 1_000)).toBe('sending  512 KiB  512 KiB/s  1s')
  expect(progressText({ what: 'row', unit: 'counts', total: 18 }, 9, 61_000)).toBe(
    'row [############............] 50%  9 of 18  1m01s',
  )
  expect(progressText({ what: 'waiting', unit: 'none', total: null }, 0, 2_000)).toBe('waiting  2s')
  expect(progressText({ ...SENDING, total: 0 }, 0, 0)).toContain('100%')
})

test('a progress line draws over itself, now and then, and is gone at the end', () => {
  const { line, clock, drawn } = terminal(40)
  line.begin(SENDING)
  line.add(1_000)
  expect(drawn()).toBe('')
  clock.nowMs = 300
  line.add(1_000)
  const first = drawn()
  expect(first.startsWith('\r\x1b[Ksending [....')).toBe(true)
  expect(first.replace('\r\x1b[K', '').length).toBe(39)
  clock.nowMs = 350
  line.add(1_000)
  expect(drawn()).toBe('')
  clock.nowMs = 450
  line.add(1_000)
  expect(drawn().startsWith('\r\x1b[K')).toBe(true)
  line.clear()
  expect(drawn()).toBe('\r\x1b[K')
  line[Symbol.dispose]()
  expect(drawn()).toBe('')
})

test('a progress line is none on a pipe', () => {
  const stream = new PassThrough()
  const clock = { nowMs: 0 }
  const line = new ProgressLine(stream, () => clock.nowMs)
  line.begin(SENDING)
  clock.nowMs = 10_000
  line.add(1_000)
  line[Symbol.dispose]()
  expect(stream.read()).toBeNull()
})
