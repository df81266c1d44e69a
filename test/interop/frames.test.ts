/** What real servers answer, cut into messages at every byte and at random places. */
import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:net'
import { ModbusTCPServer } from 'jsmodbus'
import { SMTPServer } from 'smtp-server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { builtInFrame } from '../../src/frames/frames.ts'
import { expectLiveCuts, type Fence, LiveTalk } from '../support/live-answers.ts'
import { startProgramOn } from '../support/own-program.ts'
import { findService, type Place } from '../support/services.ts'
import { testCertificate } from '../support/tls-certs.ts'

/** Bytes that do not come at once, and are more than a read. */
const LARGE_BYTES = 102_400

/** Bytes of all values, which go by. */
const LARGE = Buffer.alloc(
  LARGE_BYTES,
  Uint8Array.from({ length: 251 }, (_, at) => at),
).toString('latin1')

/** Where it is known otherwise how long answers are. */
const NO_FENCE: Fence = () => {
  throw new Error('nothing is asked behind a request here')
}

async function listening(server: Server): Promise<Place> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => new Promise<void>(resolve => void server.close(() => resolve())))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { host: '127.0.0.1', port: address.port }
}

describe('resp cuts what Redis answers', () => {
  const resp = (...words: readonly string[]): string =>
    `*${words.length}\r\n${words.map(word => `$${word.length}\r\n${word}\r\n`).join('')}`
  const fence: Fence = count => ({
    request: resp('ECHO', `fence ${count}`),
    answer: `$${`fence ${count}`.length}\r\nfence ${count}\r\n`,
  })
  const prefix = `sockpool:${process.pid}:${performance.now()}`
  const key = (name: string): string => `${prefix}:${name}`

  /** What either version of the protocol is asked. */
  async function askAll(talk: LiveTalk): Promise<void> {
    const keys = ['text', 'large', 'list', 'hash', 'set', 'zset', 'stream'].map(key)
    const [text = '', large = '', list = '', hash = '', set = '', zset = '', stream = ''] = keys
    for (const request of [
      resp('SET', text, 'a\r\nb$5\r\n*1'),
      resp('GET', text),
      resp('GET', key('none')),
      resp('STRLEN', text),
      resp('SET', large, LARGE),
      resp('GET', large),
      resp('RPUSH', list, 'a', '', '\r\n', '$-1\r\n'),
      resp('LRANGE', list, '0', '-1'),
      resp('LRANGE', key('none'), '0', '-1'),
      resp('MGET', text, key('none'), list),
      resp('HSET', hash, 'a', '1', 'b', '2'),
      resp('HGETALL', hash),
      resp('SADD', set, 'x', 'y'),
      resp('SMEMBERS', set),
      resp('ZADD', zset, '1.5', 'a', 'inf', 'b'),
      resp('ZRANGE', zset, '0', '-1', 'WITHSCORES'),
      resp('ZSCORE', zset, 'b'),
      resp('XADD', stream, '1-1', 'field', 'value'),
      resp('XRANGE', stream, '-', '+'),
      resp('XINFO', 'STREAM', stream, 'FULL'),
      resp('EVAL', "return {1, {2, {3, 'x'}, {}}, redis.status_reply('FINE'), false}", '0'),
      resp('INCR', text),
      resp('NOSUCH', 'a\\r\\nb'),
      resp('COMMAND', 'DOCS', 'GET', 'XADD'),
      resp('COMMAND', 'INFO', 'GET', 'NOSUCH'),
      'PING\r\n',
    ])
      await talk.ask(request)
    const first = ['+OK\r\n', '+QUEUED\r\n'].map(bytes => ({ kind: 'answer', bytes }) as const)
    await talk.ask(resp('MULTI') + resp('DEL', ...keys) + resp('EXEC'), { first })
  }
  const push = (bytes: string) => ({ kind: 'push', bytes }) as const

  test('by RESP2', async ({ skip }) => {
    const talk = await LiveTalk.open(await findService('redis', skip), fence)
    await askAll(talk)
    expectLiveCuts(builtInFrame('resp'), talk.exchanges)
  })

  test('by RESP3, with pushes between', async ({ skip }) => {
    const place = await findService('redis', skip)
    const talk = await LiveTalk.open(place, fence)
    const other = await LiveTalk.open(place, fence)
    expect((await talk.ask(resp('HELLO', '3'))).toString()).toMatch(/^%\d+\r\n/)
    await askAll(talk)
    const [seen, channel] = [key('seen'), key('channel')]
    const confirmed = `>3\r\n${resp('subscribe', channel).slice(4)}:1\r\n`
    await talk.ask(resp('SUBSCRIBE', channel), { first: [push(confirmed)] })
    await talk.ask(resp('CLIENT', 'TRACKING', 'ON'))
    await talk.ask(resp('GET', seen))
    await other.ask(resp('SET', seen, 'a', 'EX', '60'))
    const invalidated = `>2\r\n$10\r\ninvalidate\r\n${resp(seen)}`
    await talk.hears(invalidated)
    await other.ask(resp('PUBLISH', channel, 'hello'))
    const published = `>${resp('message', channel, 'hello').slice(1)}`
    await talk.hears(invalidated + published)
    expect(String(await talk.ask(resp('GET', seen), { first: [push(invalidated), push(published)] }))).toBe(
      '$1\r\na\r\n',
    )
    expectLiveCuts(builtInFrame('resp'), talk.exchanges)
    expectLiveCuts(builtInFrame('resp'), other.exchanges)
  })

  test('of every type that its protocol has', async ({ skip }) => {
    const args = (port: number): string[] => [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--enable-debug-command', 'yes'],
    ]
    const place = await startProgramOn({ command: 'redis-server', from: 'redis-server', args }, skip)
    const talk = await LiveTalk.open(place, fence)
    await talk.ask(resp('HELLO', '3'))
    const types = ['string', 'integer', 'double', 'null', 'array', 'set', 'map', 'attrib', 'verbatim']
    const begins: string[] = []
    for (const type of [...types, 'true', 'false', 'bignum'])
      begins.push((await talk.ask(resp('DEBUG', 'PROTOCOL', type))).toString('latin1', 0, 1))
    expect(begins.join('')).toBe('$:,_*~%|=##(')
    const pushed = '>2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n'
    await talk.ask(resp('DEBUG', 'PROTOCOL', 'push'), { first: [push(pushed)] })
    expectLiveCuts(builtInFrame('resp'), talk.exchanges)
  })
})

test('memcached cuts what memcached answers', async ({ skip }) => {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...user]
  const place = await startProgramOn({ command: 'memcached', from: 'memcached', args }, skip)
  const fence: Fence = () => ({
    request: 'get fence\r\n',
    answer: 'VALUE fence 0 5\r\nfence\r\nEND\r\n',
  })
  const set = (key: string, value: string): string => `set ${key} 0 0 ${value.length}\r\n${value}\r\n`
  const setup = await LiveTalk.open(place, () => ({ request: 'mn\r\n', answer: 'MN\r\n' }))
  await setup.ask(set('fence', 'fence'))
  const talk = await LiveTalk.open(place, fence)
  const first: string[] = []
  for (const request of [
    ...[set('a', 'one'), set('b', 'END\r\n'), set('c', ''), set('large', LARGE), set('count', '41')],
    ...['get a\r\n', 'get none\r\n', 'get a none b c\r\n', 'gets b a\r\n', 'get a large b\r\n'],
    ...['add a 0 0 1\r\nx\r\n', 'append a 0 0 1\r\n!\r\n', 'cas a 0 0 1 1\r\nx\r\n', 'incr count 1\r\n'],
    ...['touch a 60\r\n', 'gat 60 a b\r\n', 'delete c\r\n', 'delete c\r\n', 'incr a 1\r\n', 'nosuch\r\n'],
    ...['stats\r\n', 'stats settings\r\n', 'stats items\r\n', 'stats slabs\r\n', 'stats reset\r\n'],
    ...['version\r\n', 'verbosity 0\r\n', 'mn\r\n', 'me a\r\n', 'me none\r\n'],
    ...['ms m 4 T0 F7 c\r\nabcd\r\n', 'ms m 1 ME\r\nx\r\n', 'mg m v k f s c t Oabc\r\n', 'mg m\r\n'],
    ...['mg none v\r\n', 'mg large v s\r\n', 'ma count v\r\n', 'md m\r\n', 'md m\r\n', 'mg none v q\r\n'],
  ])
    first.push((await talk.ask(request)).toString('latin1').slice(0, 2))
  expect(first.join(' ')).toBe(
    'ST ST ST ST ST VA EN VA VA VA NO ST EX 42 TO VA DE NO CL ER ST ST ST ST RE VE OK MN ME EN HD NS VA HD EN VA VA HD NF ',
  )
  expectLiveCuts(builtInFrame('memcached'), talk.exchanges)
})

describe('postgres cuts what PostgreSQL answers', () => {
  const int32 = (value: number): string =>
    Buffer.from(Uint32Array.of(value).buffer).reverse().toString('latin1')
  const int16 = (value: number): string => int32(value).slice(2)
  const message = (type: string, body = ''): string => `${type}${int32(body.length + 4)}${body}`
  const query = (text: string): string => message('Q', `${text}\0`)
  const who = 'user\0postgres\0database\0postgres\0\0'
  const startup = `${int32(who.length + 8)}${int32(196_608)}${who}`
  // A column of type text (25), of no table, of any length, as text.
  const column = `fence\0${int32(0)}${int16(0)}${int32(25)}${int16(0xffff)}${int32(0xffffffff)}${int16(0)}`
  const fence: Fence = count => {
    const name = `fence ${count}`
    const row = message('D', int16(1) + int32(name.length) + name)
    const end = message('C', 'SELECT 1\0') + message('Z', 'I')
    return {
      request: query(`SELECT '${name}' AS fence`),
      answer: message('T', int16(1) + column) + row + end,
    }
  }

  test('with errors, notices, copies and large rows', async ({ skip }) => {
    const talk = await LiveTalk.open(await findService('postgres', skip), fence)
    for (const request of [
      startup,
      query('SELECT 1, NULL, $$two$$'),
      query("SELECT generate_series(1, 20), repeat('x', 30)"),
      query(`SELECT repeat('0123456789', ${LARGE_BYTES / 10})`),
      query('SELECT 1; SELECT 2; SELECT no_such_thing'),
      query(''),
      query('SET application_name = $$frames$$'),
      query("DO $$ BEGIN RAISE NOTICE 'Z I'; RAISE WARNING 'FATAL'; END $$"),
      query('BEGIN; CREATE TEMP TABLE numbers (a int) ON COMMIT DROP; ROLLBACK'),
      message('P', '\0SELECT $1::int\0\0\0') +
        message('B', `\0\0\0\0${int16(1)}${int32(1)}7\0\0`) +
        message('D', 'P\0') +
        message('E', `\0${int32(0)}`) +
        message('S'),
      message('P', '\0SELECT no_such_thing\0\0\0') + message('S'),
      query('LISTEN own; NOTIFY own, $$mine$$'),
      query('CREATE TEMP TABLE lines (line text)'),
    ])
      await talk.ask(request)
    const columns = `\0${int16(1)}${int16(0)}`
    const copyIn = message('G', columns)
    const first = [{ kind: 'answer', bytes: copyIn }] as const
    const copy = query('COPY lines FROM STDIN')
    await talk.ask(copy + message('d', 'a\n') + message('d', 'b\n') + message('c'), { first })
    await talk.ask(copy + message('f', 'never mind\0'), { first })
    await talk.ask(query('COPY lines TO STDOUT'), {
      first: [{ kind: 'answer', bytes: message('H', columns) }],
    })
    expect(String(await talk.askLast(query('SELECT pg_terminate_backend(pg_backend_pid())')))).toContain(
      'FATAL',
    )
    expectLiveCuts(builtInFrame('postgres'), talk.exchanges)
  })

  test('with notifications between the answers', async ({ skip }) => {
    const place = await findService('postgres', skip)
    const talk = await LiveTalk.open(place, fence)
    const other = await LiveTalk.open(place, fence)
    await talk.ask(startup)
    const begin = await other.ask(startup)
    const key = begin.indexOf(message('K', '\0'.repeat(8)).slice(0, 5), 0, 'latin1')
    const pid = begin.readUInt32BE(key + 5)
    const channel = `frames_${process.pid}`
    await talk.ask(query(`LISTEN ${channel}`))
    const notes = ['one', '', 'x'.repeat(5_000)]
    const notifications = notes.map(text => message('A', `${int32(pid)}${channel}\0${text}\0`))
    for (const [index, text] of notes.entries()) {
      await other.ask(query(`NOTIFY ${channel}, '${text}'`))
      await talk.hears(notifications.slice(0, index + 1).join(''))
    }
    const answer = await talk.ask(query('SELECT 1'), {
      first: notifications.map(bytes => ({ kind: 'push', bytes })),
    })
    expect(answer.toString('latin1', 0, 1)).toBe('T')
    expectLiveCuts(builtInFrame('postgres'), talk.exchanges)
    expectLiveCuts(builtInFrame('postgres'), other.exchanges)
  })
})

describe('http1 cuts what node:http answers', () => {
  const pages: Readonly<Record<string, (response: ServerResponse) => void>> = {
    '/length': response => void response.setHeader('Content-Length', 5).end('HTTP/'),
    '/large': response => void response.setHeader('Content-Length', LARGE_BYTES).end(LARGE, 'latin1'),
    '/chunks': response => {
      for (const piece of ['0\r\n\r\n', 'b', LARGE]) response.write(piece, 'latin1')
      response.addTrailers({ Sum: '3' })
      response.end()
    },
    '/nothing': response => void response.writeHead(204).end(),
    '/unchanged': response => void response.writeHead(304, { 'Content-Length': 5 }).end(),
    '/early': response => {
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.end('late')
    },
    '/processing': response => {
      response.writeProcessing()
      response.end('done')
    },
    '/close': response => void response.setHeader('Connection', 'close').end('bye'),
    '/rest': response => {
      response.removeHeader('transfer-encoding')
      response.useChunkedEncodingByDefault = false
      response.writeHead(200, { Connection: 'close' })
      response.write('to the ')
      response.end('end')
    },
  }

  /** A connection, and how many bytes of its answer the server has written, once it has written all. */
  async function open(): Promise<{ talk: LiveTalk; ask: (request: string) => Promise<Buffer> }> {
    let written = 0
    let whole = Promise.withResolvers<number>()
    const server = createHttpServer((request, response) => {
      request.resume()
      response.on('finish', () => {
        const { bytesWritten } = request.socket
        whole.resolve(bytesWritten - written)
        written = bytesWritten
      })
      request.on('end', () => pages[request.url ?? '']?.(response))
    })
    const talk = await LiveTalk.open(await listening(server), NO_FENCE)
    const ask = (request: string): Promise<Buffer> => {
      whole = Promise.withResolvers()
      return talk.askFor(request, whole.promise)
    }
    return { talk, ask }
  }
  const get = (path: string, method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

  test('by length, in chunks with trailers, without a body, and behind interim answers', async () => {
    const { talk, ask } = await open()
    for (const path of ['/length', '/large', '/chunks', '/nothing', '/unchanged', '/early', '/processing'])
      await ask(get(path))
    for (const path of ['/length', '/chunks', '/nothing']) await ask(get(path, 'HEAD'))
    const more = 'POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi'
    expect(String(await ask(more))).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/)
    expect(String(await talk.askLast(get('/close')))).toContain('Connection: close')
    expectLiveCuts(builtInFrame('http1'), talk.exchanges)
  })

  test('up to the end of the stream', async () => {
    const { talk, ask } = await open()
    await ask(get('/length'))
    const last = String(await talk.askLast(get('/rest')))
    expect(last).not.toMatch(/content-length|transfer-encoding/i)
    expect(last).toMatch(/to the end$/)
    expectLiveCuts(builtInFrame('http1'), talk.exchanges)
  })

  test('to what is no request', async () => {
    const { talk } = await open()
    // A server says so in HTTP all the same, and hangs up.
    expect(String(await talk.askLast(get('/a b').replace('a b', 'a\0b')))).toMatch(/^HTTP\/1.1 400 /)
    const asked = [{ request: Buffer.from(get('/')), messages: talk.exchanges[0]?.messages ?? [] }]
    expectLiveCuts(builtInFrame('http1'), asked)
  })
})

test('smtp cuts what smtp-server answers', async () => {
  const smtp = new SMTPServer({
    ...(await testCertificate()),
    name: 'mx.test',
    authOptional: true,
    size: 1_000_000,
    onData: (stream, _session, done) => {
      stream.resume()
      stream.on('end', () => done(null, 'taken\nin two lines'))
    },
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('no') ? new Error('not\r\n550 here') : null),
  })
  smtp.on('error', () => {})
  const place = await listening(smtp.server)
  const help = '214 See https://tools.ietf.org/html/rfc5321 for details\r\n'
  const talk = await LiveTalk.open(place, () => ({ request: 'HELP\r\n', answer: help }))
  const greeting = '220 mx.test ESMTP\r\n'
  await talk.hears(greeting)
  await talk.ask('NOOP\r\n', { first: [{ kind: 'answer', bytes: greeting }] })
  const replies: string[] = []
  for (const request of [
    ...['EHLO a.test\r\n', 'HELO a.test\r\n', 'NOOP\r\n', 'NOSUCH\r\n', 'MAIL FROM:<a@b.test>\r\n'],
    ...['RCPT TO:<no@b.test>\r\n', 'RCPT TO:<yes@b.test>\r\n', 'VRFY a\r\n', 'AUTH NTLM\r\n'],
  ])
    replies.push(String(await talk.ask(request)))
  expect(replies[0]?.split('\r\n').length).toBeGreaterThan(4)
  const ready = '354 End data with <CR><LF>.<CR><LF>\r\n'
  await talk.askFor('DATA\r\n', Promise.resolve(ready.length))
  await talk.ask('Subject: a\r\n\r\n250 OK\r\n.\r\n')
  await talk.askLast('QUIT\r\n')
  expectLiveCuts(builtInFrame('smtp'), talk.exchanges)
})

test('crlf cuts what beanstalkd answers in one line', async ({ skip }) => {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, ...user]
  const place = await startProgramOn({ command: 'beanstalkd', from: 'beanstalkd', args }, skip)
  const fence: Fence = count => ({ request: `use fence-${count}\r\n`, answer: `USING fence-${count}\r\n` })
  const talk = await LiveTalk.open(place, fence)
  const answers: string[] = []
  for (const request of [
    ...['list-tube-used\r\n', 'put 0 0 10 5\r\nhello\r\n', 'put 0 60 10 0\r\n\r\n', 'watch a\r\n'],
    ...['ignore a\r\n', 'ignore default\r\n', 'reserve-with-timeout 0\r\n', 'delete 1\r\n'],
    ...['delete 99\r\n', 'kick 10\r\n', 'kick-job 2\r\n', 'pause-tube default 0\r\n'],
    ...['peek-ready\r\n', 'nosuch\r\n', 'touch x\r\n'],
    `put 0 0 10 70000\r\n${'x'.repeat(70_000)}\r\n`,
  ])
    answers.push((await talk.ask(request)).toString('latin1'))
  expect(answers.map(answer => answer.trimEnd())).toEqual([
    ...['USING default', 'INSERTED 1', 'INSERTED 2', 'WATCHING 2', 'WATCHING 1', 'NOT_IGNORED'],
    ...['TIMED_OUT', 'DELETED', 'NOT_FOUND', 'KICKED 0', 'KICKED', 'PAUSED', 'NOT_FOUND'],
    ...['UNKNOWN_COMMAND', 'BAD_FORMAT', 'JOB_TOO_BIG'],
  ])
  expectLiveCuts(builtInFrame('crlf'), talk.exchanges)
})

test('modbus cuts what jsmodbus answers', async () => {
  const server = createServer()
  const holding = Buffer.alloc(400, 'holding')
  const modbus = new ModbusTCPServer(server, { holding, coils: Buffer.alloc(32, 0xa5) })
  expect(modbus.holding).toHaveLength(400)
  const asked = (id: number, pdu: string): Buffer => {
    const message = Buffer.concat([Buffer.alloc(6), Buffer.from(`01${pdu}`, 'hex')])
    message.writeUInt16BE(id, 0)
    message.writeUInt16BE(message.length - 6, 4)
    return message
  }
  const talk = await LiveTalk.open(await listening(server), NO_FENCE)
  // What each is answered with, by the protocol: a pipeline this server answers from its end.
  for (const [id, [pdu, length]] of (
    [
      ['030000007d', 9 + 250],
      ['0300050001', 9 + 2],
      ['0100000040', 9 + 8],
      ['0100030001', 9 + 1],
      ['0600101234', 12],
      ['100020000204deadbeef', 12],
      ['050002ff00', 12],
      ['0f0008000a02cd01', 12],
      ['030fff0001', 9],
    ] as const
  ).entries()) {
    const answer = await talk.askFor(asked(id, pdu), Promise.resolve(length))
    expect([pdu, answer.readUInt16BE(0), answer.length]).toEqual([pdu, id, length])
  }
  expectLiveCuts(builtInFrame('modbus'), talk.exchanges)
})
