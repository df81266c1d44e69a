/** The lines of a lease as one answer: its three forms, its end, and a client that goes, comes again, or does not read. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type HeldLease, jsonOf, problemOf } from '../support/api.ts'
import { type StreamScene, startStreamScene } from '../support/stream-scene.ts'
import { untilSteady } from '../support/until.ts'

let scene: StreamScene

beforeAll(async () => {
  scene = await startStreamScene()
})

type Lines = { readonly response: Response; next(): Promise<string>; rest(): Promise<string>; leave(): void }

/** An answer whose text is looked at record by record. */
async function linesOf(lease: HeldLease, headers: Record<string, string> = {}, query = ''): Promise<Lines> {
  const client = new AbortController()
  onTestFinished(() => client.abort())
  const response = await fetch(`${scene.service.url}${lease.path}/lines${query}`, {
    headers: { authorization: `Bearer ${scene.service.token}`, ...headers },
    signal: client.signal,
  })
  const separator = headers['accept'] === 'text/event-stream' ? '\n\n' : '\n'
  const body = response.body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
  let text = ''
  const more = async (): Promise<boolean> => {
    const { value, done } = (await body?.next()) ?? { done: true, value: '' }
    text += value ?? ''
    return done !== true
  }
  return {
    response,
    next: async () => {
      while (!text.includes(separator)) if (!(await more())) throw new Error(`it ended with ${text}`)
      const end = text.indexOf(separator) + separator.length
      const record = text.slice(0, end)
      text = text.slice(end)
      return record
    },
    rest: async () => {
      while (await more());
      return text
    },
    leave: () => client.abort(),
  }
}

const EVENTS = { accept: 'text/event-stream' }
const PLAIN = { accept: 'text/plain' }
const records = (text: string) =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)

describe('lines', () => {
  test('come as they come, as records with their offsets, and say how the stream ended', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease)
    expect(lines.response.headers.get('content-type')).toMatch(/^application\/x-ndjson/)
    await peer.send('one\nsecond\r\n')
    expect(records(await lines.next())).toEqual([{ offset: 0, line: 'one' }])
    expect(records(await lines.next())).toEqual([{ offset: 4, line: 'second' }])
    await peer.send('thi')
    await peer.send(Uint8Array.of(0x72, 0x64, 0x0a, 0xff, 0x0a))
    expect(records(await lines.next())).toEqual([{ offset: 12, line: 'third' }])
    expect(records(await lines.next())).toEqual([{ offset: 18, line: '/w==', encoding: 'base64' }])
    peer.end('unended')
    expect(records(await lines.rest())).toEqual([
      { offset: 20, line: 'unended' },
      { offset: 27, end: 'fin' },
    ])
  })

  test('come as events', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease, EVENTS)
    expect(lines.response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    await peer.send('one\n\nt\rwo\n')
    expect(await lines.next()).toBe('id: 0\ndata: one\n\n')
    expect(await lines.next()).toBe('id: 4\ndata: \n\n')
    expect(await lines.next()).toBe(
      `id: 5\nevent: base64\ndata: ${Buffer.from('t\rwo').toString('base64')}\n\n`,
    )
    peer.end()
    expect(await lines.rest()).toBe('id: 10\nevent: end\ndata: {"offset":10,"end":"fin"}\n\n')
  })

  test('come as they are', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease, PLAIN)
    expect(lines.response.headers.get('content-type')).toMatch(/^text\/plain/)
    await peer.send('one\r\n')
    expect(await lines.next()).toBe('one\r\n')
    peer.end('two')
    expect(await lines.rest()).toBe('two')
  })

  test('of a connection that breaks end with a record that says so, and no clean end', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease)
    await peer.send('one\npart')
    await lines.next()
    peer.reset()
    const [last] = records(await lines.rest())
    expect(last).toMatchObject({ problem: { code: 'connection_reset', status: 502 } })
    expect(last).not.toHaveProperty('line')
  })

  test('as they are, of a connection that breaks, are no whole answer', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease, PLAIN)
    await peer.send('one\n')
    await lines.next()
    peer.reset()
    await expect(lines.rest()).rejects.toThrow()
  })

  test('end when their lease does', async () => {
    const { lease } = await scene.leased()
    const lines = await linesOf(lease, EVENTS)
    await lease.begun('lines')
    await lease.release('?kill=true')
    const text = await lines.rest()
    expect(text).toMatch(/^id: 0\nevent: problem\ndata: /)
    expect(text).toContain('"lease_gone"')
  })

  test('leave one that is too long where it is', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease, {}, '?limit=4')
    await peer.send('1234\n12345\nx\n')
    expect(records(await lines.next())).toEqual([{ offset: 0, line: '1234' }])
    expect(records(await lines.rest())).toMatchObject([{ offset: 5, problem: { code: 'limit_overrun' } }])
    expect((await lease.call('readline')).text).toBe('12345\n')
  })

  test('are one read, beside which there is no other', async () => {
    const { lease, peer } = await scene.leased()
    const lines = await linesOf(lease)
    await lease.begun('lines')
    expect(problemOf(await lease.call('read?n=1')).code).toBe('read_busy')
    const second = await linesOf(lease)
    expect([second.response.status, JSON.parse(await second.rest()).code]).toEqual([409, 'read_busy'])
    lines.leave()
    await lease.idle()
    await peer.send('kept\n')
    expect((await lease.call('readline')).text).toBe('kept\n')
  })

  test('keep their lease from expiring, which does once the client has gone', async () => {
    const { lease, peer } = await scene.leased({ ttlMs: 100 })
    const lines = await linesOf(lease)
    const startedMs = performance.now()
    while (performance.now() - startedMs < 300) await lease.look()
    await peer.send('late\n')
    expect(records(await lines.next())).toEqual([{ offset: 0, line: 'late' }])
    lines.leave()
    while ((await lease.look()).status === 200);
    expect(problemOf(await lease.look())['reason']).toBe('expired')
  })

  test('are no part of a HEAD', async () => {
    const { lease } = await scene.leased()
    const { status } = await scene.service.api.request('HEAD', `${lease.path}/lines`)
    expect(status).toBe(404)
  })
})

describe('Last-Event-ID', () => {
  test('has the lines go on behind the one that it names, with those that were lost', async () => {
    const { lease, peer } = await scene.leased()
    const first = await linesOf(lease, EVENTS)
    await peer.send('one\ntwo\nthree\n')
    for (let count = 0; count < 3; count++) await first.next()
    first.leave()
    await lease.idle()
    const second = await linesOf(lease, { ...EVENTS, 'last-event-id': '0' })
    expect(await second.next()).toBe('id: 4\ndata: two\n\n')
    expect(await second.next()).toBe('id: 8\ndata: three\n\n')
    await peer.send('four\n')
    expect(await second.next()).toBe('id: 14\ndata: four\n\n')
    second.leave()
    await lease.idle()
    const third = await linesOf(lease, { ...EVENTS, 'last-event-id': '14' })
    peer.end('five\n')
    expect(await third.next()).toBe('id: 19\ndata: five\n\n')
    expect(await third.rest()).toContain('event: end')
    await lease.idle()
    const done = await linesOf(lease, { ...EVENTS, 'last-event-id': '24' })
    expect(done.response.status).toBe(204)
  })

  test('of lines that are not kept is told so', async () => {
    const { lease, peer } = await scene.leased()
    await peer.send('one\ntwo\n')
    await lease.call('readline')
    const answer = async (id: string) => {
      const lines = await linesOf(lease, { ...EVENTS, 'last-event-id': id })
      return [lines.response.status, JSON.parse(await lines.rest()).code]
    }
    expect(await answer('0')).toEqual([410, 'offset_gone'])
    expect(await answer('5')).toEqual([409, 'offset_mismatch'])
    expect(await answer('x')).toEqual([400, 'invalid_request'])
  })
})

describe('a client of lines that does not read', () => {
  test('stops the peer', async () => {
    const { lease, peer } = await scene.leased()
    const { port, token } = scene.service
    const client: Socket = connect(port, '127.0.0.1')
    onTestFinished(() => void client.destroy())
    const head = [
      `GET ${lease.path}/lines HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      `Authorization: Bearer ${token}`,
    ]
    client.write(`${[...head, 'Accept: text/plain', 'Connection: close'].join('\r\n')}\r\n\r\n`)
    await once(client, 'readable')
    const total = 67_108_864
    const piece = Buffer.alloc(65_536, `${'x'.repeat(1_023)}\n`)
    for (let sent = 0; sent < total; sent += piece.length) peer.socket.write(piece)
    const stopped = await untilSteady(() => peer.socket.bytesWritten - peer.socket.writableLength, 300)
    expect(stopped).toBeLessThan(40_000_000)
    expect(jsonOf<{ readOffset: number }>(await lease.look()).readOffset).toBeLessThan(40_000_000)
    let came = 0
    client.on('data', (chunk: Buffer) => {
      came += chunk.length
    })
    peer.end()
    await once(client, 'close')
    expect(came).toBeGreaterThan(total)
  }, 60_000)
})
