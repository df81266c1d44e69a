import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { FlightRecorder, type OperationRow } from '../../../src/pool/target/flight-recorder.ts'

const WALL = Date.parse('2026-01-02T03:04:05.000Z')

/** A recorder on a clock that the test moves, and its rows at the time of day that belongs to it. */
function recorder() {
  const clock = { nowMs: 1_000 }
  const flight = new FlightRecorder(() => clock.nowMs, WALL + clock.nowMs)
  const rows = (): OperationRow[] => flight.rows()
  return { clock, flight, rows }
}

const at = (ms: number): string => new Date(WALL + ms).toISOString()

describe('FlightRecorder', () => {
  test('gives each operation with its time, its bytes and its outcome, oldest first', () => {
    const { clock, flight, rows } = recorder()
    flight.add('connect', 'ok', 400, 250)
    const read = flight.begin('read')
    clock.nowMs = 1_003.25
    flight.end(read, 'read_timeout')
    flight.moved(read, 5, 0)
    clock.nowMs = 5_000
    expect(rows()).toEqual([
      { name: 'connect', at: at(400), ms: 250, bytesIn: 0, bytesOut: 0, outcome: 'ok' },
      { name: 'read', at: at(1_000), ms: 3.25, bytesIn: 5, bytesOut: 0, outcome: 'read_timeout' },
    ])
  })

  test('shows an operation that is not over, and for how long', () => {
    const { clock, flight, rows } = recorder()
    flight.begin('readline')
    clock.nowMs = 31_000
    expect(rows()).toEqual([
      { name: 'readline', at: at(1_000), ms: 30_000, bytesIn: 0, bytesOut: 0, outcome: 'running' },
    ])
  })

  test('keeps the last ones, and drops what is told of one that is pushed out', () => {
    const { flight, rows } = recorder()
    const first = flight.begin('first')
    for (let count = 0; count < LIMITS.flightOperationsMax; count++) flight.add(`op${count}`, 'ok')
    flight.end(first, 'late')
    flight.moved(first, 7, 7)
    expect(rows().map(({ name }) => name)).toEqual(
      Array.from({ length: LIMITS.flightOperationsMax }, (_, count) => `op${count}`),
    )
    expect(rows().every(({ outcome, bytesIn }) => outcome === 'ok' && bytesIn === 0)).toBe(true)
  })

  test('a row that is written over has nothing of the one before', () => {
    const { flight, rows } = recorder()
    for (let count = 0; count < LIMITS.flightOperationsMax; count++) {
      const row = flight.begin('old')
      flight.moved(row, 1, 1)
      flight.end(row, 'ok')
    }
    flight.begin('new')
    expect(rows().at(-1)).toMatchObject({ name: 'new', bytesIn: 0, bytesOut: 0, outcome: 'running' })
  })

  test('makes one row of calls of one name that are served at once, one after another', () => {
    const { clock, flight, rows } = recorder()
    for (let count = 0; count < 1_000; count++) {
      clock.nowMs = 1_000 + count
      flight.served('readline', 3, 0)
    }
    flight.served('write', 0, 2)
    const waiting = flight.begin('readline')
    flight.end(waiting, 'ok')
    flight.served('readline', 1, 0)
    expect(rows()).toMatchObject([
      { name: 'readline', at: at(1_000), ms: 999, bytesIn: 3_000 },
      { name: 'write', bytesIn: 0, bytesOut: 2 },
      { name: 'readline', bytesIn: 0 },
      { name: 'readline', bytesIn: 1 },
    ])
  })
})
