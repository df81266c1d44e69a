/**
 * A net.Socket and the duplex of a lease side by side: what each does in the same scene, event by event. The peer is
 * the same, and each step of a scene waits for the one before, so that there is one order to compare.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { SocketDuplex } from '../../src/streams/adapters/socket-duplex.ts'
import { EventRecord } from '../support/event-record.ts'
import { openPool } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

type Client = Socket | SocketDuplex

type Stage = {
  readonly client: Client
  /** The other end, which reads what comes unless it is paused, and ends nothing by itself. */
  readonly peer: Socket
  readonly record: EventRecord
  /** Resolves when the record holds a word that begins so. */
  seen(start: string): Promise<void>
}

type Scene = (stage: Stage) => void | Promise<void>

const EVENTS = ['end', 'finish', 'error', 'timeout', 'close'] as const

async function overSocket(port: number): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  return socket
}

async function overLease(port: number): Promise<Client> {
  const pool = await openPool({ targets: { it: { host: '127.0.0.1', port } } })
  return (await pool.lease('it')).toDuplex()
}

/** Plays the scene; what happened, in order, and what the client says of itself afterwards. */
async function play(open: (port: number) => Promise<Client>, scene: Scene): Promise<unknown> {
  const server = await startTestServer(socket => void socket.resume(), { halfOpen: true })
  const client = await open(server.port)
  const peer = await server.connection()
  const record = new EventRecord().watch(client, EVENTS)
  await scene({
    client,
    peer,
    record,
    seen: start =>
      until(`it did ${start}`, () => record.has(start)).catch(error => {
        throw new Error(`${(error as Error).message}, but ${record.list.join(', ')}`)
      }),
  })
  // What comes late comes within a few turns.
  for (let turns = 0; turns < 10; turns++) await turn()
  const { destroyed, readyState, readableEnded, writableFinished, bytesRead, bytesWritten, timeout } = client
  const errored = (client.errored as NodeJS.ErrnoException | null)?.code ?? null
  const played = {
    events: [...record.list],
    state: {
      destroyed,
      readyState,
      readableEnded,
      writableFinished,
      bytesRead,
      bytesWritten,
      timeout: timeout ?? 0,
      errored,
    },
  }
  client.destroy()
  peer.destroy()
  return played
}

const SCENES: Readonly<Record<string, Scene>> = {
  'the peer ends first, and the client reads': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.end('bye')
    await seen('close')
  },
  'the peer ends first, and nobody reads': async ({ peer, seen }) => {
    peer.end()
    await seen('close')
  },
  'the peer ends while the client is paused, which reads later': async ({ client, peer, record, seen }) => {
    record.read(client)
    client.pause()
    peer.end('bye')
    await once(peer, 'finish')
    for (let turns = 0; turns < 50; turns++) await turn()
    record.mark('resume')
    client.resume()
    await seen('close')
  },
  'the client ends first, and the peer answers': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.once('end', () => peer.end('answer'))
    client.end('question', record.callback('ended'))
    await seen('close')
  },
  'the client ends first, and nobody reads': async ({ client, peer, seen }) => {
    peer.once('end', () => peer.end())
    client.end('question')
    await seen('close')
  },
  'the client ends, and the peer goes on': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.once('end', () => peer.write('more'))
    client.end()
    await seen('data 4')
  },
  'callbacks of writes and of the end': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.once('end', () => peer.end())
    client.write('a', record.callback('written a'))
    client.write('b', record.callback('written b'))
    client.end('c', record.callback('ended'))
    await seen('close')
  },
  'callbacks of what was corked': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.once('end', () => peer.end())
    client.cork()
    client.write('a', record.callback('written a'))
    client.write('b', record.callback('written b'))
    client.end(record.callback('ended'))
    await seen('close')
  },
  'end() twice': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.once('end', () => peer.end())
    client.end(record.callback('first'))
    client.end(record.callback('second'))
    await seen('close')
    client.end(record.callback('third'))
    await seen('third')
  },
  'the peer resets while the client reads': async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.write('some')
    await seen('data')
    peer.resetAndDestroy()
    await seen('close')
  },
  'the peer resets while the client is paused': async ({ client, peer, record, seen }) => {
    record.read(client)
    client.pause()
    peer.resetAndDestroy()
    await seen('close')
  },
  'the peer resets while nobody reads': async ({ peer, seen }) => {
    peer.resetAndDestroy()
    await seen('close')
  },
  'the peer resets after the client has ended': async ({ client, peer, seen }) => {
    client.end()
    await once(peer, 'end')
    await seen('finish')
    peer.resetAndDestroy()
    await seen('close')
  },
  'the peer resets while a write waits': async ({ client, peer, record, seen }) => {
    peer.pause()
    record.read(client)
    client.write(Buffer.alloc(20_000_000), record.callback('written'))
    client.write('more', record.callback('written more'))
    await turn()
    peer.resetAndDestroy()
    await seen('close')
    await seen('written more')
  },
  'destroy()': async ({ client, seen }) => {
    client.destroy()
    client.destroy()
    await seen('close')
  },
  'destroy() after a write': async ({ client, record, seen }) => {
    client.write('x', record.callback('written'))
    client.destroy()
    await seen('close')
    await seen('written')
  },
  'destroy() while writes wait': async ({ client, peer, record, seen }) => {
    peer.pause()
    client.write(Buffer.alloc(20_000_000), record.callback('written'))
    client.write('more', record.callback('written more'))
    await turn()
    client.destroy()
    await seen('close')
    await seen('written more')
    await seen('written')
  },
  'destroy() while its end waits': async ({ client, peer, record, seen }) => {
    peer.pause()
    client.write(Buffer.alloc(20_000_000), record.callback('written'))
    client.end(record.callback('ended'))
    await turn()
    client.destroy()
    await seen('close')
    await seen('ended')
  },
  'destroy() within the first data': async ({ client, peer, seen }) => {
    client.once('data', () => client.destroy())
    peer.end('x')
    await seen('close')
  },
  'destroy(error)': async ({ client, seen }) => {
    client.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
    await seen('close')
  },
  'destroy(error) while a write waits': async ({ client, peer, record, seen }) => {
    peer.pause()
    client.write(Buffer.alloc(20_000_000), record.callback('written'))
    await turn()
    client.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
    await seen('close')
    await seen('written')
  },
  'destroySoon()': async ({ client, record, seen }) => {
    client.write('x', record.callback('written'))
    client.destroySoon()
    await seen('close')
  },
  'destroySoon() after end()': async ({ client, record, seen }) => {
    client.end('x', record.callback('ended'))
    await seen('finish')
    client.destroySoon()
    await seen('close')
  },
  'destroySoon() of what is destroyed': async ({ client, seen }) => {
    client.destroy()
    client.destroySoon()
    await seen('close')
  },
  // What the peer sees is another matter: the duplex asks no RST of the kernel.
  'resetAndDestroy()': async ({ client, record, seen }) => {
    client.write('x', record.callback('written'))
    client.resetAndDestroy()
    await seen('close')
  },
  'resetAndDestroy() of what is destroyed': async ({ client, seen }) => {
    client.destroy()
    await seen('close')
    client.resetAndDestroy()
  },
  'a write after end()': async ({ client, record, seen }) => {
    client.end()
    client.write('late', record.callback('written'))
    await seen('close')
    await seen('written')
  },
  'a write after the end was sent': async ({ client, record, seen }) => {
    client.end()
    await seen('finish')
    record.mark(`accepts ${client.write('late', record.callback('written'))}`)
    await seen('close')
    await seen('written')
  },
  "a write within the peer's end": async ({ client, peer, record, seen }) => {
    client.once('end', () => record.mark(`accepts ${client.write('last', record.callback('written'))}`))
    const received = once(peer, 'data')
    record.read(client)
    peer.end()
    await seen('close')
    record.mark(String((await received)[0]))
  },
  "a write just after the peer's end": async ({ client, peer, record, seen }) => {
    client.once('end', () =>
      process.nextTick(() =>
        process.nextTick(() => record.mark(`accepts ${client.write('late', record.callback('written'))}`)),
      ),
    )
    record.read(client)
    peer.end()
    await seen('close')
    await seen('written')
  },
  "a write long after the peer's end": async ({ client, peer, record, seen }) => {
    record.read(client)
    peer.end()
    await seen('close')
    record.mark(`accepts ${client.write('late', record.callback('written'))}`)
    await seen('written')
  },
  'a write after destroy()': async ({ client, record, seen }) => {
    client.destroy()
    record.mark(`accepts ${client.write('late', record.callback('written'))}`)
    await seen('close')
    await seen('written')
  },
  'a write of what cannot be written': ({ client, record }) => {
    for (const chunk of [null, 7, {}]) {
      try {
        client.write(chunk as unknown as string)
      } catch (error) {
        record.mark(String((error as NodeJS.ErrnoException).code))
      }
    }
  },
  'setTimeout() passes, and the client goes on': async ({ client, peer, record, seen }) => {
    client.setTimeout(20, () => record.mark('told'))
    await seen('timeout')
    record.read(client)
    client.setTimeout(0)
    peer.write('still here')
    await seen('data')
  },
  'setTimeout() of what is no time': ({ client, record }) => {
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined]) {
      try {
        client.setTimeout(ms as number)
        record.mark('accepted')
      } catch (error) {
        record.mark(`${error instanceof RangeError} ${(error as NodeJS.ErrnoException).code}`)
      }
    }
    client.setTimeout(0)
  },
  'setTimeout() with what is no function': ({ client, record }) => {
    for (const ms of [0, 1_000]) {
      try {
        client.setTimeout(ms, 'soon' as unknown as () => void)
      } catch (error) {
        record.mark(String((error as NodeJS.ErrnoException).code))
      }
    }
    client.setTimeout(0)
  },
  'setTimeout() after destroy()': async ({ client, seen }) => {
    client.destroy()
    client.setTimeout(5)
    await seen('close')
  },
  'setEncoding() cuts no character in two': async ({ client, peer, record, seen }) => {
    client.setEncoding('utf8')
    client.on('data', (text: unknown) => record.mark(`data ${text}`))
    peer.write(Buffer.from([0xc3]))
    peer.end(Buffer.from([0xa9]))
    await seen('close')
  },
}

describe('the duplex of a lease does as a net.Socket where', () => {
  test.each(Object.entries(SCENES))('%s', async (_what, scene) => {
    const onSocket = await play(overSocket, scene)
    const onLease = await play(overLease, scene)
    expect(onLease).toEqual(onSocket)
  })
})
