/**
 * One suite for all that reads and writes a stream: each case runs over every transport that has what it needs, and
 * a table at the end says what ran where.
 */
import { afterAll, beforeAll, describe, onTestFinished, test } from 'vitest'
import { optionCases } from './cases/options.ts'
import { readCases } from './cases/reads.ts'
import { separatorCases } from './cases/separators.ts'
import { waitCases } from './cases/waits.ts'
import { writeCases } from './cases/writes.ts'
import type { Case, Transport } from './transport.ts'
import { blocking } from './transports/blocking.ts'
import { memory } from './transports/memory.ts'
import { ring } from './transports/ring.ts'
import { tcp, tls, warmUp } from './transports/sockets.ts'

const CASES: readonly Case[] = [...readCases, ...separatorCases, ...waitCases, ...optionCases, ...writeCases]
const TRANSPORTS: readonly Transport[] = [memory, ring, tcp, tls, blocking]

type Mark = 'ok' | 'FAIL' | '-'
const marks = new Map<Case, Map<Transport, Mark>>(CASES.map(entry => [entry, new Map()]))

const TITLE_WIDTH = 90

function table(): string {
  const heads = TRANSPORTS.map(({ name }) => name.padEnd(9)).join('')
  const rows = CASES.map(entry => {
    const cells = TRANSPORTS.map(transport => (marks.get(entry)?.get(transport) ?? '-').padEnd(9))
    return `${entry.title.slice(0, TITLE_WIDTH - 1).padEnd(TITLE_WIDTH)}${cells.join('')}`
  })
  return [`${'case'.padEnd(TITLE_WIDTH)}${heads}`, ...rows].join('\n')
}

afterAll(() => {
  console.info(table())
})

describe.each(TRANSPORTS)('$name', transport => {
  const cases = CASES.filter(({ needs }) => needs.every(trait => transport.traits.has(trait)))

  // The pool of openConnection is made with the first connection and stays: no case left it behind.
  if (transport.traits.has('socket')) beforeAll(warmUp)

  test.each(cases)('$title', async entry => {
    marks.get(entry)?.set(transport, 'FAIL')
    onTestFinished(({ task }) => {
      if (task.result?.state !== 'fail') marks.get(entry)?.set(transport, 'ok')
    })
    await entry.run(transport)
  })
})
