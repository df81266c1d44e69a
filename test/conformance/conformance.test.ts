/**
 * One suite for all that reads and writes a stream: each case runs over every transport that has what it needs. A
 * table at the end says what ran where, and why not where it did not.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { watchLeaks } from '../support/leak-watch.ts'
import { CASES } from './cases.ts'
import { exemption, LACKS, type TransportName } from './exemptions.ts'
import type { Surface } from './surface.ts'
import { attached, attachedTls } from './transports/attached.ts'
import { blocking, blockingTls } from './transports/blocking.ts'
import { lent } from './transports/lent.ts'
import { memory } from './transports/memory.ts'
import { remote, remoteTls } from './transports/remote.ts'
import { ring } from './transports/ring.ts'
import { tcp, tls } from './transports/sockets.ts'

const SURFACES: readonly Surface[] = [
  memory,
  ring,
  tcp,
  tls,
  attached,
  attachedTls,
  blocking,
  blockingTls,
  lent,
  remote,
  remoteTls,
]

const passed = new Set<string>()
const TITLE_WIDTH = 90
const CELL_WIDTH = 14

/** Why a case does not run somewhere, as the table's notes have them. */
const NOTES: readonly string[] = [...new Set(Object.values(LACKS).flatMap(lacks => Object.values(lacks)))]

function cell(title: string, name: TransportName): string {
  if (passed.has(`${name} ${title}`)) return 'ok'
  const entry = CASES.find(one => one.title === title)
  const reason = entry ? exemption(name, entry) : null
  return reason === null ? 'FAIL' : `- ${NOTES.indexOf(reason) + 1}`
}

function table(): string {
  const heads = SURFACES.map(({ name }) => name.padEnd(CELL_WIDTH)).join('')
  const rows = CASES.map(({ title }) => {
    const cells = SURFACES.map(({ name }) => cell(title, name).padEnd(CELL_WIDTH))
    return `${title.slice(0, TITLE_WIDTH - 1).padEnd(TITLE_WIDTH)}${cells.join('')}`
  })
  const notes = NOTES.map((note, index) => `- ${index + 1}: ${note}`)
  return [`${'case'.padEnd(TITLE_WIDTH)}${heads}`, ...rows, ...notes].join('\n')
}

afterAll(() => {
  console.info(table())
})

test('the suite has a surface for each transport, each case a title of its own, and each exemption a case', () => {
  expect(SURFACES.map(({ name }) => name)).toEqual(Object.keys(LACKS))
  const titles = CASES.map(({ title }) => title)
  expect(titles).toEqual([...new Set(titles)])
  const used = SURFACES.flatMap(({ name }) => CASES.map(entry => exemption(name, entry)))
  expect(new Set(used.filter(reason => reason !== null))).toEqual(new Set(NOTES))
  const idle = CASES.filter(entry => SURFACES.every(({ name }) => exemption(name, entry) !== null))
  expect(idle).toEqual([])
})

describe.each(SURFACES)('$name', surface => {
  const { name } = surface
  beforeAll(async () => await surface.start?.())
  afterAll(async () => await surface.stop?.())

  test.each(CASES.filter(entry => exemption(name, entry) === null))('$title', async entry => {
    watchLeaks()
    onTestFinished(({ task }) => {
      if (task.result?.state !== 'fail') passed.add(`${name} ${entry.title}`)
    })
    await surface.run(entry)
  })
})
