/** Parse processes, as Parsers uses them: what goes to them, what they answer, and how they end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { text as textFrom } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { Parsers, type ParsersOptions } from '../../src/parse/parsers.ts'
import { emptyObjects } from '../support/parse-bombs.ts'
import { isAtWork, niceOf, parseProcessesOf, textOf } from '../support/parse-processes.ts'
import { until } from '../support/until.ts'

const opened: Parsers[] = []

afterEach(async () => {
  for (const parsers of opened.splice(0)) await parsers.close()
})

function open(options: ParsersOptions = {}): Parsers {
  const parsers = new Parsers({ isolation: 'process', timeoutMs: 60_000, ...options })
  opened.push(parsers)
  return parsers
}

const fixture = (name: string): URL => new URL(`../fixtures/parse/${name}`, import.meta.url)
const ONE = Buffer.from('1')
const textOfBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
/** Takes a process a good second. */
const long = (): Buffer => emptyObjects(1)
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'a value',
    (error: unknown) => error,
  )

/** A parse that a process has begun, and how it ends. */
async function begun(
  parsers: Parsers,
  signal?: AbortSignal,
): Promise<{ pid: number; end: Promise<unknown> }> {
  await parsers.parse('json', ONE)
  const [pid = 0] = parseProcessesOf(process.pid)
  const end = codeOf(parsers.parse('ndjson', long(), {}, { signal }))
  await until('it runs', () => parsers.stats().processes.running === 1)
  return { pid, end }
}

describe('a parse process', () => {
  test.each([
    ['json', ' {"a":[1,2.5,null,"ü",1e400]} '],
    ['ndjson', '{"a":1}\n[2]\n'],
    ['ndjson', ''],
    ['lines', 'one\n\r\ntwo'],
    ['csv', 'a,"b"\n1,2\n'],
    ['resp', '*2\r\n$1\r\na\r\n:1\r\n'],
    ['msgpack', '\x81\xa1a\x01'],
    ['xml', '<a b="1"><c/>text</a>'],
    ['json', JSON.stringify(Array.from({ length: 9_000 }, (_, at) => ({ at, name: `n${at}`, list: [at] })))],
    ['json', JSON.stringify('ü'.repeat(1_000_000))],
    ['json', '[1, }'],
    ['ndjson', '{}\n{"a"'],
  ])('answers as a thread does: %s', async (format, text) => {
    const [inProcess, inThread] = [open(), open({ isolation: 'thread', inPlaceBytesMax: -1 })]
    const wrap = { before: '{"values":[', between: ',', end: '\n', after: ']}' }
    const all = async (parsers: Parsers): Promise<unknown[]> => [
      await codeOf(parsers.parse(format, Buffer.from(text))),
      await parsers.parse(format, Buffer.from(text)).catch(() => 'no values'),
      await parsers.write(format, Buffer.from(text), wrap).then(textOfBytes, String),
    ]
    expect(await all(inProcess)).toEqual(await all(inThread))
    expect(inProcess.stats()).toMatchObject({
      processes: { completed: 3, threads: 1 },
      bytes: { completed: 0 },
    })
    expect(inThread.stats()).toMatchObject({
      processes: { completed: 0, threads: 0 },
      bytes: { completed: 3 },
    })
  })

  test('leaves the bytes of the caller alone, and takes those that are given away', async () => {
    const parsers = open()
    const bytes = Buffer.from('[1]')
    expect(await parsers.parse('json', bytes)).toEqual([[1]])
    expect(bytes.toString()).toBe('[1]')
    const given = Buffer.from(new ArrayBuffer(100_000, { maxByteLength: 100_000 })).fill(' ')
    given[0] = 0x31
    const wrap = { before: '', between: '', end: '', after: '' }
    expect(textOfBytes(await parsers.write('json', given, wrap))).toBe('1')
    expect(given.buffer.byteLength).toBe(0)
  })

  test.runIf(process.platform === 'linux')('has nothing of the service, and gives way to it', async () => {
    await open().parse('json', ONE)
    const [pid = 0] = parseProcessesOf(process.pid)
    expect(textOf(pid, 'environ')).toBe('')
    expect(textOf(pid, 'cmdline').split('\0')).toContain('--permission')
    expect(textOf(pid, 'oom_score_adj')).toBe('1000\n')
    expect(niceOf(pid)).toBe(5)
  })

  test('is told of as trouble of the service where it cannot start', async () => {
    for (const file of [fixture('absent.ts'), fixture('other-worker.ts')]) {
      const error = await codeOf(open({ file }).parse('json', ONE))
      expect(error).toMatchObject({ code: 'QUEUE_FULL', reason: 'not_started', retryable: true })
    }
  })

  test.each([
    ['"exit"', 'exited'],
    ['"garbage"', 'crashed'],
    ['"endless"', 'crashed'],
    ['"unasked"', 'crashed'],
  ])('that breaks the conversation has failed: %s', async (text, reason) => {
    const parsers = open({ file: fixture('broken-process.ts') })
    expect(await codeOf(parsers.parse('json', Buffer.from(text)))).toMatchObject({
      code: 'PARSE_FAILED',
      reason,
    })
    expect(parsers.stats().processes).toMatchObject({ died: 1, running: 0, threads: 0 })
  })
})

describe('isolation: auto', () => {
  test('gives a process what is larger than a share of its heap', async () => {
    const parsers = open({ isolation: 'auto' })
    const bytes = Buffer.alloc(LIMITS.parseThreadBytesMax + 1, ' ').fill('1', 0, 1)
    expect(await parsers.parse('json', bytes.subarray(0, -1))).toEqual([1])
    expect(parsers.stats()).toMatchObject({
      bytes: { completed: 1 },
      processes: { completed: 0, threads: 0 },
    })
    expect(await parsers.parse('json', bytes)).toEqual([1])
    expect(parsers.stats()).toMatchObject({
      bytes: { completed: 1 },
      processes: { completed: 1, threads: 1 },
    })
  })

  test('gives a process what is compressed, however short', async () => {
    const parsers = open({ isolation: 'auto' })
    expect(await parsers.parse('json', gzipSync('[1]'), { decompress: 'gzip' })).toEqual([[1]])
    expect(parsers.stats()).toMatchObject({ bytes: { completed: 0 }, processes: { completed: 1 } })
  })

  test('counts processes in the load of the workers', async () => {
    const parsers = open({ workers: 1 })
    const parses = [1, 2, 3].map(() => parsers.parse('ndjson', long()))
    expect(parsers.load).toMatchObject({ workers: 1, busy: 1, queued: 2 })
    await Promise.all(parses)
    expect(parsers.load).toMatchObject({ workers: 1, busy: 0, queued: 0 })
  })
})

describe('the end of a parse process', () => {
  test('by its deadline is PARSE_TIMEOUT in time, and its place is free again', async () => {
    const parsers = open()
    await parsers.parse('json', ONE)
    const began = performance.now()
    const error = await codeOf(parsers.parse('ndjson', emptyObjects(4), {}, { timeoutMs: 300 }))
    expect(error).toMatchObject({ code: 'PARSE_TIMEOUT', reason: 'running', retryable: false })
    // The parse would take four seconds; a machine under load answers late.
    expect(performance.now() - began).toBeLessThan(1_300)
    expect(await parsers.parse('json', ONE)).toEqual([1])
    expect(parsers.stats().processes).toMatchObject({ timedOut: 1, died: 0, completed: 2, threads: 1 })
  })

  test.runIf(process.platform === 'linux')('by its signal is ABORTED', async () => {
    const parsers = open()
    const controller = new AbortController()
    const { pid, end } = await begun(parsers, controller.signal)
    controller.abort()
    expect(await end).toMatchObject({ code: 'ABORTED', reason: 'running' })
    await until('it is gone', () => !parseProcessesOf(process.pid).includes(pid))
    expect(await parsers.parse('json', ONE)).toEqual([1])
  })

  test.runIf(process.platform === 'linux')('from outside is PARSE_FAILED, and another goes on', async () => {
    const parsers = open()
    const { pid, end } = await begun(parsers)
    process.kill(pid, 'SIGKILL')
    expect(await end).toMatchObject({ code: 'PARSE_FAILED', reason: 'crashed', retryable: false })
    expect(await parsers.parse('json', ONE)).toEqual([1])
    expect(parsers.stats().processes).toMatchObject({ died: 1, completed: 2, threads: 1 })
  })

  test.runIf(process.platform === 'linux')('while it rests is nobody’s failure', async () => {
    const parsers = open()
    await parsers.parse('json', ONE)
    for (const pid of parseProcessesOf(process.pid)) process.kill(pid, 'SIGKILL')
    await until('it is gone', () => parsers.stats().processes.threads === 0)
    expect(await parsers.parse('json', ONE)).toEqual([1])
    expect(parsers.stats().processes).toMatchObject({ died: 0, completed: 2 })
  })

  test.runIf(process.platform === 'linux')('comes with close, at work or not', async () => {
    const parsers = open({ workers: 2 })
    await Promise.all([parsers.parse('json', ONE), parsers.parse('json', ONE)])
    const pids = parseProcessesOf(process.pid)
    expect(pids).toHaveLength(2)
    const end = codeOf(parsers.parse('ndjson', emptyObjects(4)))
    await parsers.close()
    expect(await end).toMatchObject({ code: 'DRAINING' })
    expect(parseProcessesOf(process.pid)).toEqual([])
    expect(parsers.stats().processes).toMatchObject({ threads: 0, running: 0 })
  })

  test.runIf(process.platform === 'linux')('comes with that of its service, whatever it does', async () => {
    const source = `
      import { Parsers } from ${JSON.stringify(new URL('../../src/parse/parsers.ts', import.meta.url).href)}
      const parsers = new Parsers({ isolation: 'process', workers: 2 })
      const both = text => Promise.all([1, 2].map(() => parsers.parse('ndjson', Buffer.from(text))))
      await both('1')
      console.log('ready')
      await parsers.parse('ndjson', Buffer.from(('[' + '{},'.repeat(500_000) + '1]\\n')))`
    const program = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void program.kill('SIGKILL'))
    const { pid = 0 } = program
    await once(createInterface({ input: program.stdout }), 'line')
    const pids = parseProcessesOf(pid)
    expect(pids).toHaveLength(2)
    program.kill('SIGKILL')
    await until('both are gone', () => pids.every(child => textOf(child, 'cmdline') === ''), 30_000)
  })
})

test.runIf(process.platform === 'linux')(
  'a program that leaves takes its processes along, also one that is stuck',
  async () => {
    const format = new URL('../fixtures/parse/stuck-format.ts', import.meta.url).href
    const source = `
    import { Parsers } from ${JSON.stringify(new URL('../../src/parse/parsers.ts', import.meta.url).href)}
    const parsers = new Parsers({ isolation: 'process', formats: { stuck: ${JSON.stringify(format)} } })
    await parsers.parse('json', Buffer.from('1'))
    parsers.parse('stuck', Buffer.from('1'))
    console.log('ready')
    process.stdin.once('data', () => process.exit(7))`
    const program = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void program.kill('SIGKILL'))
    const { pid = 0 } = program
    await once(createInterface({ input: program.stdout }), 'line')
    const [child = 0] = parseProcessesOf(pid)
    await until('it is stuck', () => isAtWork(child), 30_000)
    program.stdin.write('go')
    expect(await once(program, 'exit')).toEqual([7, null])
    await until('it is gone', () => textOf(child, 'cmdline') === '')
  },
)

describe('parse processes', () => {
  test('let others pass a tenant that has more to do', async () => {
    const parsers = open()
    const order: string[] = []
    const parse = (tenant: string, bytes: Buffer): Promise<unknown> =>
      parsers.parse('ndjson', bytes, {}, { tenant }).then(() => order.push(tenant))
    await Promise.all([...[1, 2, 3, 4].map(() => parse('many', long())), parse('one', ONE)])
    expect(order.indexOf('one')).toBeLessThan(3)
  })

  test.runIf(process.platform === 'linux')('leave no descriptor behind', async () => {
    const parsers = open()
    const countOf = (): number => readdirSync('/proc/self/fd').length
    await parsers.parse('json', ONE)
    const before = countOf()
    for (let count = 0; count < 100; count++) await parsers.parse('json', ONE)
    expect(countOf()).toBe(before)
    for (let count = 0; count < 3; count++) {
      const { pid, end } = await begun(parsers)
      process.kill(pid, 'SIGKILL')
      await end
    }
    await parsers.parse('json', ONE)
    expect(countOf()).toBe(before)
    await parsers.close()
    expect(countOf()).toBeLessThan(before)
  })

  test('keep no program that has nothing else to do', async () => {
    const source = `
      import { Parsers } from ${JSON.stringify(new URL('../../src/parse/parsers.ts', import.meta.url).href)}
      console.log(JSON.stringify(await new Parsers({ isolation: 'process' }).parse('json', Buffer.from('[1]'))))`
    const program = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void program.kill('SIGKILL'))
    const said = textFrom(program.stdout)
    expect(await once(program, 'exit')).toEqual([0, null])
    expect(await said).toBe('[[1]]\n')
  })
})
