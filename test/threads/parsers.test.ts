import { threadId } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { DEFAULTS } from '../../src/base/defaults.ts'
import { SockpoolError } from '../../src/base/errors.ts'
import { Parsers, type ParsersOptions } from '../../src/parse/parsers.ts'
import type { LentSource } from '../../src/streams/channel-ends/lent-source.ts'
import type { Deed } from '../fixtures/parse/user-module.ts'
import type { ScriptStep } from '../fixtures/streams/scripted-source.ts'
import { LentPeer } from '../support/lent-peer.ts'

const USER = new URL('../fixtures/parse/user-module.ts', import.meta.url)
const READER = new URL('../fixtures/parse/reader-module.ts', import.meta.url)
const FIN: ScriptStep = { kind: 'fin' }

const opened: Parsers[] = []

afterEach(async () => {
  for (const parsers of opened.splice(0)) await parsers.close()
})

function open(options: ParsersOptions = {}): Parsers {
  const file = new URL('../fixtures/parse/memory-worker.ts', import.meta.url)
  const parsers = new Parsers({ file, inPlaceBytesMax: -1, ...options })
  opened.push(parsers)
  return parsers
}

/** A reader whose bytes are the script's, on a channel that stays silent. */
const lent = (...script: ScriptStep[]): LentSource => Object.assign(new LentPeer().lend(), { script })

const deed = (value: Deed): Deed => value

const failure = async (promise: Promise<unknown>): Promise<SockpoolError> => {
  const error = await promise.then(
    value => {
      throw new Error(`no error but ${JSON.stringify(value)}`)
    },
    (reason: unknown) => reason,
  )
  if (error instanceof SockpoolError) return error
  throw error
}

/** A module call that holds its thread until `open()`; `begun` resolves when it has the thread. */
function gate(): { deed: Deed; begun: Promise<unknown>; open: () => void } {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const waiting = Atomics.waitAsync(words, 0, 0)
  return {
    deed: { do: 'gate', gate: words.buffer },
    begun: Promise.resolve(waiting.value),
    open: () => {
      Atomics.store(words, 1, 1)
      Atomics.notify(words, 1)
    },
  }
}

describe('Parsers.parse', () => {
  test('decodes every format on another thread and leaves the bytes of the caller alone', async () => {
    const parsers = open()
    const bytes = Buffer.from('{"a":[1,"é"]}\n{"b":null}\n')
    const values = [{ a: [1, 'é'] }, { b: null }]
    expect(await parsers.parse('ndjson', bytes)).toEqual(values)
    expect(await parsers.parse('json', bytes, {})).toEqual(values)
    expect(await parsers.parse('lines', bytes)).toEqual(bytes.toString().trim().split('\n'))
    expect(bytes.toString()).toHaveLength(25)
    expect(parsers.stats().bytes).toMatchObject({ completed: 3, threads: 1, running: 0, waiting: 0 })
  })

  test('brings an error across with its fields', async () => {
    const error = await failure(open().parse('json', Buffer.from('[1, }')))
    expect(error).toMatchObject({ code: 'PARSE_FAILED', offset: 4, message: "unexpected '}' in JSON" })
  })

  test('refuses what it can without a thread', async () => {
    const parsers = open()
    const long = new Uint8Array(DEFAULTS.bodyBytesMax + 1)
    expect(await failure(parsers.parse('json', long))).toMatchObject({ code: 'PARSE_LIMIT' })
    expect(await failure(parsers.parse('nope', Buffer.from('1')))).toMatchObject({ code: 'FORMAT_NOT_FOUND' })
    expect(await failure(parsers.parse('json', Buffer.from('1'), { x: 1 }))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'options.x' }],
    })
    const signal = AbortSignal.abort()
    expect(await failure(parsers.parse('json', Buffer.from('1'), {}, { signal }))).toMatchObject({
      code: 'ABORTED',
    })
    expect(parsers.stats().bytes.threads).toBe(0)
  })

  test('goes on while users keep their own threads busy', async () => {
    const parsers = open()
    const busy = gate()
    const call = parsers.run(USER, busy.deed)
    await busy.begun
    expect(await parsers.parse('json', Buffer.from('1'))).toEqual([1])
    busy.open()
    expect(await call).toBe('through')
  })

  test('tells of a worker that cannot start as trouble of the service, and does not wait for it', async () => {
    const parsers = open({ file: new URL('../fixtures/parse/absent.ts', import.meta.url) })
    const error = await failure(parsers.parse('json', Buffer.from('1')))
    expect(error).toMatchObject({ code: 'QUEUE_FULL', reason: 'not_started', retryable: true })
  })
})

describe('Parsers.run', () => {
  test('calls the module on another thread', async () => {
    const parsers = open()
    expect(await parsers.run(USER, deed({ do: 'echo', value: new Map([[1, 2n]]) }))).toEqual(
      new Map([[1, 2n]]),
    )
    expect(await parsers.run(USER.href, deed({ do: 'thread' }))).not.toBe(threadId)
  })

  test('ends a module that spins at its deadline, and has a thread for the next', async () => {
    const parsers = open()
    const error = await failure(parsers.run(USER, deed({ do: 'spin' }), { timeoutMs: 300 }))
    expect(error).toMatchObject({ code: 'PARSE_TIMEOUT', reason: 'running', retryable: false })
    expect(await parsers.run(USER, deed({ do: 'echo', value: 1 }))).toBe(1)
    expect(parsers.stats().calls).toMatchObject({ timedOut: 1, completed: 1, running: 0 })
  })

  test.each([
    ['exit', 'exited'],
    ['crash', 'crashed'],
  ] as const)('tells why a worker died: %s', async (how, reason) => {
    const parsers = open()
    expect(await failure(parsers.run(USER, deed({ do: how })))).toMatchObject({
      code: 'PARSE_FAILED',
      reason,
    })
    expect(await parsers.run(USER, deed({ do: 'echo', value: 1 }))).toBe(1)
    expect(parsers.stats().calls.died).toBe(1)
  })

  test('brings the module error across as cause, and a SockpoolError as it is', async () => {
    const parsers = open()
    const error = await failure(parsers.run(USER, deed({ do: 'throw' })))
    expect(error).toMatchObject({ code: 'PARSE_FAILED', message: 'not this one', reason: 'RangeError' })
    expect(error.cause).toBeInstanceOf(RangeError)
    expect(await failure(parsers.run(USER, deed({ do: 'fail' })))).toMatchObject({
      code: 'OFFSET_MISMATCH',
      message: 'its own code',
      offset: 7,
    })
  })

  test('refuses what cannot be cloned without losing the thread', async () => {
    const parsers = open()
    expect(await failure(parsers.run(USER, () => 1))).toMatchObject({ code: 'INVALID_REQUEST' })
    for (const how of ['function', 'symbol'] as const) {
      const error = await failure(parsers.run(USER, deed({ do: how })))
      expect(error).toMatchObject({ code: 'PARSE_FAILED', reason: 'DataCloneError' })
    }
    for (const how of ['odd-field', 'no-fields'] as const) {
      const error = await failure(parsers.run(USER, deed({ do: how })))
      expect(error).toMatchObject({ code: 'PARSE_FAILED', message: 'its own code', reason: 'SockpoolError' })
    }
    const odd = await failure(parsers.run(USER, deed({ do: 'no-text' })))
    expect(odd).toMatchObject({ code: 'PARSE_FAILED', reason: 'object', cause: {} })
    expect(parsers.stats().calls).toMatchObject({ died: 0, threads: 1 })
  })

  test('refuses code that is not a file with a default function', async () => {
    const parsers = open()
    for (const module of ['data:text/javascript,export default () => 1', './relative.ts', 'node:fs'])
      expect(await failure(parsers.run(module))).toMatchObject({ code: 'INVALID_REQUEST' })
    const noDefault = new URL('../fixtures/thrown.ts', import.meta.url)
    expect(await failure(parsers.run(noDefault))).toMatchObject({ code: 'INVALID_REQUEST' })
    const absent = new URL('../fixtures/parse/absent.ts', import.meta.url)
    expect(await failure(parsers.run(absent))).toMatchObject({ code: 'PARSE_FAILED' })
  })

  test('bounds its queue, and calls off what waits and what runs', async () => {
    const parsers = open({ queueMax: 1 })
    const busy = gate()
    const [running, waiting] = [new AbortController(), new AbortController()]
    const first = failure(parsers.run(USER, busy.deed, { signal: running.signal }))
    await busy.begun
    const second = failure(parsers.run(USER, deed({ do: 'thread' }), { signal: waiting.signal }))
    const third = await failure(parsers.run(USER, deed({ do: 'thread' })))
    expect(third).toMatchObject({ code: 'QUEUE_FULL', retryable: true })
    waiting.abort()
    expect(await second).toMatchObject({ code: 'ABORTED', name: 'AbortError', reason: 'queued' })
    const late = await failure(parsers.run(USER, deed({ do: 'thread' }), { timeoutMs: 1 }))
    expect(late).toMatchObject({ code: 'PARSE_TIMEOUT', reason: 'queued', retryable: true })
    const next = parsers.run(USER, deed({ do: 'echo', value: 'next' }))
    running.abort()
    expect(await first).toMatchObject({ code: 'ABORTED', reason: 'running' })
    expect(await next).toBe('next')
    expect(parsers.stats().calls).toMatchObject({ aborted: 2, timedOut: 1, refused: 1, waiting: 0 })
  })

  test('lets others pass a tenant that holds its share', async () => {
    const parsers = open({ workers: 2, tenantWorkers: 1 })
    const busy = gate()
    const order: string[] = []
    const log = (name: string) => (): number => order.push(name)
    const first = parsers.run(USER, busy.deed, { tenant: 'a' }).then(log('a1'))
    await busy.begun
    const second = parsers.run(USER, deed({ do: 'thread' }), { tenant: 'a' }).then(log('a2'))
    await parsers.run(USER, deed({ do: 'thread' }), { tenant: 'b' }).then(log('b'))
    expect(parsers.stats().calls).toMatchObject({ running: 1, waiting: 1 })
    busy.open()
    await Promise.all([first, second])
    expect(order).toEqual(['b', 'a1', 'a2'])
  })
})

describe('Parsers.parseMessage', () => {
  test('reads one message and gives the reader back with the rest', async () => {
    const result = await open().parseMessage(lent('{"a"', ':1} {"b'), 'json')
    expect(result).toEqual({
      outcome: { ok: true, value: { a: 1 } },
      reader: { kind: 'returned', returned: { rest: ' {"b', interrupted: false } },
    })
  })

  test('gives the reader back with an error and all bytes', async () => {
    const parsers = open()
    const wrong = await parsers.parseMessage(lent('[1}'), 'json')
    expect(wrong).toMatchObject({
      outcome: { ok: false, error: { code: 'PARSE_FAILED', offset: 2 } },
      reader: { kind: 'returned', returned: { rest: '[1}' } },
    })
    const ended = await parsers.parseMessage(lent(FIN), 'json')
    expect(ended.outcome).toMatchObject({ error: { name: 'IncompleteReadError', partial: Buffer.alloc(0) } })
    const silent = await parsers.parseMessage(lent('[1'), 'json', {}, { timeoutMs: 1_500 })
    expect(silent).toMatchObject({
      outcome: { ok: false, error: { code: 'READ_TIMEOUT' } },
      reader: { kind: 'returned', returned: { rest: '[1', interrupted: true } },
    })
  })

  test('does not touch the reader when it refuses', async () => {
    const parsers = open()
    for (const [format, options] of [
      ['nope', {}],
      ['json', { x: 1 }],
    ] as const)
      expect(await parsers.parseMessage(lent('1 '), format, options)).toMatchObject({
        outcome: { ok: false },
        reader: { kind: 'untouched' },
      })
  })

  test('does not touch the reader that no thread has room for', async () => {
    const parsers = open({ queueMax: 0 })
    const controller = new AbortController()
    const holds = parsers.parseMessage(lent('[1'), 'json', {}, { signal: controller.signal })
    const refused = await parsers.parseMessage(lent('2 '), 'json')
    expect(refused).toMatchObject({
      outcome: { ok: false, error: { code: 'QUEUE_FULL' } },
      reader: { kind: 'untouched' },
    })
    controller.abort()
    expect((await holds).outcome).toMatchObject({ ok: false, error: { code: 'ABORTED' } })
  })
})

describe('Parsers.runOn', () => {
  test('runs blocking code on the lent reader', async () => {
    const result = await open().runOn(lent('one\nt', 'wo!!'), READER, 'lines')
    expect(result).toEqual({
      outcome: { ok: true, value: ['one\n', 'two'] },
      reader: { kind: 'returned', returned: { rest: '!!', interrupted: false } },
    })
  })

  test.each(['spin', 'heedless'] as const)('ends code that outlives its deadline: %s', async how => {
    const parsers = open()
    // The thread runs before the deadline is counted, so that the module surely holds the reader.
    await parsers.runOn(lent('one\ntwo'), READER, 'lines')
    const result = await parsers.runOn(lent('x'), READER, how, { timeoutMs: 300 })
    expect(result).toMatchObject({
      outcome: { ok: false, error: { code: 'PARSE_TIMEOUT', reason: 'running' } },
      reader: { kind: 'lost' },
    })
    expect((await parsers.runOn(lent('one\ntwo'), READER, 'lines')).outcome.ok).toBe(true)
  })

  test('does not touch the reader for a task that cannot be cloned', async () => {
    const result = await open().runOn(lent('x'), READER, () => 1)
    expect(result).toMatchObject({
      outcome: { ok: false, error: { code: 'INVALID_REQUEST' } },
      reader: { kind: 'untouched' },
    })
  })
})

describe('Parsers.close', () => {
  test('lets the running task finish, refuses the rest, and leaves no thread', async () => {
    const parsers = open()
    const busy = gate()
    const running = parsers.run(USER, busy.deed)
    await busy.begun
    const waiting = failure(parsers.run(USER, deed({ do: 'thread' })))
    const closed = parsers.close()
    expect(await waiting).toMatchObject({ code: 'DRAINING' })
    busy.open()
    expect(await running).toBe('through')
    await closed
    expect(await failure(parsers.parse('json', Buffer.from('1')))).toMatchObject({ code: 'DRAINING' })
    expect(parsers.stats().calls).toMatchObject({ threads: 0, running: 0, waiting: 0 })
  })

  test('ends a task that does not finish', async () => {
    const parsers = open()
    const busy = gate()
    const running = failure(parsers.run(USER, busy.deed))
    await busy.begun
    await parsers.close()
    expect(await running).toMatchObject({ code: 'DRAINING' })
    expect(parsers.stats().calls.threads).toBe(0)
  })
})
