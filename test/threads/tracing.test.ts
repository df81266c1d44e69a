/** Spans of a pool in a program that has set up OpenTelemetry: which there are, below what, and what they hold. */
import { SpanKind } from '@opentelemetry/api'
import { expect, onTestFinished, test } from 'vitest'
import { attach } from '../support/attached.ts'
import { endNextLease } from '../support/end-next-lease.ts'
import { readPage } from '../support/pages.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { RecordedSpans } from '../support/recorded-spans.ts'
import { echo, refusingPort, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const record = (): RecordedSpans => RecordedSpans.start(onTestFinished)

test('an exchange hangs below its caller, its lease below it, and the dial below the lease', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const caller = await spans.within(async () => {
    await pool.exchange('it', { write: 'ping\n', read: { line: true } })
  })
  const lease = await spans.one('sockpool.lease')
  const exchange = await spans.one('sockpool.exchange')
  const connect = await spans.one('sockpool.connect')
  expect(new Set(spans.all.map(({ traceId }) => traceId))).toEqual(new Set([caller.traceId]))
  expect([exchange.parentId, lease.parentId, connect.parentId]).toEqual([
    caller.spanId,
    exchange.spanId,
    lease.spanId,
  ])
  expect(exchange).toMatchObject({
    kind: SpanKind.CLIENT,
    isFailed: false,
    attributes: {
      'sockpool.target': 'it',
      'sockpool.reused': false,
      'sockpool.bytes_written': 5,
      'sockpool.bytes_read': 5,
    },
  })
  const place = {
    'sockpool.target': 'it',
    'sockpool.connection': 'c1',
    'server.address': server.host,
    'server.port': server.port,
    'network.peer.address': '127.0.0.1',
    'network.peer.port': server.port,
    'network.transport': 'tcp',
  }
  expect(connect).toMatchObject({ kind: SpanKind.CLIENT, isFailed: false, attributes: place })
  expect(lease).toMatchObject({
    kind: SpanKind.CLIENT,
    isFailed: false,
    events: ['acquired'],
    attributes: {
      ...place,
      'sockpool.reused': false,
      'sockpool.bytes_written': 5,
      'sockpool.bytes_read': 5,
      'sockpool.outcome': 'reused',
      'sockpool.reason': 'clean',
    },
  })
})

test('a lease on an idle connection has no dial below it', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  await pool.exchange('it', { write: 'a\n', read: { line: true } })
  await until('the connection is back', () => pool.stats().connections.idle === 1)
  const lease = await pool.lease('it')
  await lease.discard()
  await until('both leases have ended', () => spans.named('sockpool.lease').length === 2)
  expect(spans.named('sockpool.connect')).toHaveLength(1)
  expect(spans.named('sockpool.lease')[1]).toMatchObject({
    parentId: null,
    attributes: { 'sockpool.reused': true, 'sockpool.outcome': 'closed', 'sockpool.reason': 'discarded' },
  })
})

test('a dial over TLS says so', async () => {
  const spans = record()
  const server = await startTestServer(echo, { tls: true })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  await (await pool.lease('it')).discard()
  expect((await spans.one('sockpool.connect')).attributes).toMatchObject({
    'tls.protocol.name': 'tls',
    'tls.protocol.version': '1.3',
  })
})

test('what fails is told by its code in each span, and in no words', async () => {
  const spans = record()
  const port = await refusingPort()
  const pool = await openPool({ targets: { dead: { host: '127.0.0.1', port } } })
  await expect(pool.exchange('dead', { write: 'a', read: { line: true } })).rejects.toMatchObject({
    code: 'CONNECT_REFUSED',
  })
  for (const name of ['sockpool.exchange', 'sockpool.lease', 'sockpool.connect']) {
    const span = await spans.one(name)
    expect(span, name).toMatchObject({ isFailed: true, attributes: { 'error.type': 'connect_refused' } })
  }
  expect((await spans.one('sockpool.connect')).attributes).toMatchObject({ 'server.port': port })
})

test('a lease that was killed has failed, with the reason', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  await pool.kill(lease.id)
  expect(await spans.one('sockpool.lease')).toMatchObject({
    isFailed: true,
    attributes: { 'error.type': 'lease_gone', 'sockpool.gone': 'killed' },
  })
})

test('a lease that was killed before its caller heard of it has failed too', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  endNextLease(lease => lease.kill('killed'))
  expect((await pool.lease('it')).gone).toBe('killed')
  expect(await spans.one('sockpool.lease')).toMatchObject({
    isFailed: true,
    attributes: { 'error.type': 'lease_gone', 'sockpool.gone': 'killed', 'sockpool.outcome': 'closed' },
  })
})

test('a parse hangs below the lease whose bytes it reads, another one below what is active', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  lease.writer.write('{"a":1}\n')
  expect(await lease.parse('ndjson')).toEqual({ a: 1 })
  await lease.discard()
  const held = await spans.one('sockpool.lease')
  expect(await spans.one('sockpool.parse')).toMatchObject({
    kind: SpanKind.INTERNAL,
    parentId: held.spanId,
    isFailed: false,
    attributes: { 'sockpool.format': 'ndjson' },
  })
  const caller = await spans.within(async () => {
    await expect(pool.parse('json', Buffer.from('{'))).rejects.toMatchObject({ code: 'PARSE_FAILED' })
  })
  expect(spans.named('sockpool.parse')[1]).toMatchObject({
    parentId: caller.spanId,
    isFailed: true,
    attributes: { 'sockpool.format': 'json', 'sockpool.bytes': 1, 'error.type': 'parse_failed' },
  })
})

test('a dial for the warm minimum is the first of a trace of its own', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  await spans.within(async () => {
    const pool = await openPool({ targets: { it: targetOf(server, { pool: { min: 1 } }) } })
    await until('it is dialled', () => pool.stats().connections.idle === 1)
  })
  const [caller] = spans.named('caller')
  const connect = await spans.one('sockpool.connect')
  expect(connect.parentId).toBeNull()
  expect(connect.traceId).not.toBe(caller?.traceId)
})

test('the dial of a shared connection hangs below the exchange that it is for', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const multiplex = { connections: 1, inFlight: 4, match: 'order' as const }
  const pool = await openPool({ targets: { it: targetOf(server, { frame: 'line', multiplex }) } })
  await pool.exchange('it', { write: 'a\n' })
  const exchange = await spans.one('sockpool.exchange')
  expect((await spans.one('sockpool.connect')).parentId).toBe(exchange.spanId)
  expect(spans.named('sockpool.lease')).toHaveLength(0)
})

test('the dial of a shared connection hangs below the exchange of an attached thread that it is for', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const multiplex = { connections: 1, inFlight: 4, match: 'order' as const }
  const pool = await openPool({ targets: { it: targetOf(server, { frame: 'line', multiplex }) } })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const thread = attach(pool, 'exchangeOnce', {
    write: 'a\n',
    origin: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  })
  expect(await thread.next()).toBe('a\n')
  // The thread itself traces nothing.
  expect(await spans.one('sockpool.connect')).toMatchObject({ traceId, parentId: 'b7ad6b7169203331' })
})

test('a lease that is refused at once has failed, with the code', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
  await pool.drain('it')
  const read = { line: true } as const
  const refused = await pool.exchange('it', { write: 'a\n', read }).catch(error => error)
  expect(await spans.one('sockpool.lease')).toMatchObject({
    isFailed: true,
    attributes: { 'error.type': refused.code.toLowerCase(), 'sockpool.target': 'it' },
  })
})

test('a lease that would wait for its own caller has failed, with the code', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
  await pool.use('it', async () => {
    await expect(pool.lease('it')).rejects.toMatchObject({ code: 'WOULD_DEADLOCK' })
  })
  await until('both have ended', () => spans.named('sockpool.lease').length === 2)
  expect(spans.named('sockpool.lease')[0]).toMatchObject({
    isFailed: true,
    attributes: { 'error.type': 'would_deadlock' },
  })
})

test('a lease beyond those that a pool may hold has failed, with the code', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) }, limits: { leases: 1 } })
  const held = await pool.lease('it')
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  expect(await spans.one('sockpool.lease')).toMatchObject({
    isFailed: true,
    attributes: { 'error.type': 'queue_full', 'sockpool.target': 'it' },
  })
  await held.discard()
})

test('a caller that names its trace counts for more than what is active, and one that is not sampled is not recorded', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const leaseOf = async (flags: string): Promise<void> => {
    const traceparent = `00-${traceId}-b7ad6b7169203331-${flags}`
    await (await pool.lease('it', { origin: { traceparent } })).discard()
  }
  await spans.within(() => leaseOf('00'))
  await spans.within(() => leaseOf('01'))
  expect(await spans.one('sockpool.lease')).toMatchObject({ traceId, parentId: 'b7ad6b7169203331' })
  expect(await spans.one('sockpool.connect')).toMatchObject({ traceId })
})

test('leases of an attached thread hang below what it says, and else below nothing', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const { spanId } = await spans.within(async () => {
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const thread = attach(pool, 'traced', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    expect(await thread.next()).toBe('done')
    expect(await thread.exited).toBe(0)
  })
  await until('all leases have ended', () => spans.named('sockpool.lease').length === 3)
  const leases = spans.named('sockpool.lease')
  expect(leases.map(({ parentId }) => parentId)).toEqual(['b7ad6b7169203331', 'b7ad6b7169203331', null])
  expect(leases.map(span => span.traceId === traceId)).toEqual([true, true, false])
  expect(spans.named('sockpool.connect').map(({ parentId }) => parentId)).not.toContain(spanId)
})

test('the log of a leak names the span of the lease', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const told: object[] = []
  const pool = await openPool({
    targets: { it: targetOf(server, { leakDetectionMs: 1 }) },
    onEvent: event => {
      if (event.kind === 'leak') told.push(event.lease.report)
    },
  })
  const lease = await pool.lease('it')
  await until('the leak was told', () => told.length === 1)
  await lease.discard()
  const { traceId, spanId } = await spans.one('sockpool.lease')
  expect(told).toMatchObject([{ traceId, spanId }])
})

test('no span holds a payload, a password or the id of a lease', async () => {
  const spans = record()
  const server = await startTestServer(echo)
  const onConnect = [{ send: 'hunter2\n' }, { expect: 'another\n', timeout: 50 }]
  const pool = await openPool({
    targets: { it: targetOf(server), closed: targetOf(server, { onConnect }) },
  })
  const lease = await pool.lease('it')
  const { id } = lease
  lease.writer.write('{"payload":')
  await expect(lease.parse('json', {}, { timeoutMs: 50 })).rejects.toThrow()
  await lease.discard()
  await pool.exchange('it', { write: 'payload\n', read: { line: true } })
  await expect(pool.lease('closed')).rejects.toMatchObject({ code: 'DIALOG_FAILED' })
  await until('all leases have ended', () => spans.named('sockpool.lease').length === 3)
  const text = JSON.stringify(spans.all)
  expect(text).toContain('dialog_failed')
  for (const secret of [id, 'payload', 'hunter2', 'another']) expect(text).not.toContain(secret)
  const own = spans.all.filter(({ name }) => name.startsWith('sockpool.'))
  for (const name of new Set(own.flatMap(({ attributes }) => Object.keys(attributes))))
    expect(readPage('docs/tracing.md'), 'every attribute is one that the page names').toContain(`\`${name}\``)
})
