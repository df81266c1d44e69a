/** Forwards in message mode, whose clients meet the connections at a desk of their I/O worker. */
import { expect, onTestFinished, test } from 'vitest'
import type { ForwardConfig } from '../../src/config/forward.ts'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { TargetStats } from '../../src/pool/target/pool-stats.ts'
import { bulk, command, hears } from '../support/front-door.ts'
import { type MultiplexPeer, type PeerSide, startMultiplexPeer } from '../support/multiplex-peer.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { until } from '../support/until.ts'

const FORWARD: ForwardConfig = {
  listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  target: 'it',
  mode: 'message',
  tls: null,
  proxyProtocol: false,
}

const say = (...texts: readonly string[]): string => texts.map(text => command('ECHO', text)).join('')
const echoes = (...texts: readonly string[]): string => texts.map(bulk).join('')

type Answer = (text: string, side: PeerSide) => string | null
type TargetInput = NonNullable<PoolOptions['targets']>[string]
type Scene = {
  readonly pool: Pool
  readonly peer: MultiplexPeer
  readonly client: () => RawConnection
  readonly row: () => TargetStats | undefined
}

/** `answer`: to the requests that it knows; null: as ever, by the last word. An empty text: none. */
async function open(more: Partial<TargetInput> = {}, answer: Answer = () => null): Promise<Scene> {
  const peer = await startMultiplexPeer('resp', (request, side) => {
    const text = String(request).split('\r\n').at(-2) ?? ''
    side.socket.write(answer(text, side) ?? bulk(text))
  })
  const target = targetOf(peer, { frame: 'resp', ...more })
  const pool = await openPool({ targets: { it: target } })
  await pool.forwards.open([FORWARD])
  const port = pool.forwards.addresses[0]?.port ?? 0
  const client = (): RawConnection => {
    const opened = RawConnection.open(port)
    onTestFinished(() => void opened.socket.destroy())
    return opened
  }
  return { pool, peer, client, row: () => pool.targets()[0] }
}

/** A client that is served at the desk from here on. */
async function served(client: RawConnection): Promise<string> {
  for (const text of ['one', 'two']) {
    const heard = client.text
    client.send(say(text))
    await hears(client, heard + bulk(text))
  }
  return client.text
}

test('clients share the connections of a desk, each hears its own answers, and none is held in the end', async () => {
  const { client, peer, row } = await open({ pool: { max: 2 } })
  await Promise.all(
    Array.from({ length: 12 }, async (_, who) => {
      const one = client()
      let heard = ''
      for (let round = 0; round < 25; round++) {
        const texts = Array.from({ length: 1 + (round % 4) }, (_, index) => `${who}/${round}/${index}`)
        heard += echoes(...texts)
        one.send(say(...texts))
        await hears(one, heard, 30_000)
      }
    }),
  )
  expect(peer.accepted).toBeLessThanOrEqual(2)
  expect(row()?.closed).toEqual({})
  await until('none is held', () => row()?.connections.leased === 0)
})

test('a client at a desk may ask in pieces, ahead of its answers, and what only a connection of its own answers', async () => {
  const { client } = await open({ pool: { max: 1 } })
  const one = client()
  let heard = await served(one)
  for (const byte of say('slow')) {
    one.send(byte)
    await new Promise(setImmediate)
  }
  heard += bulk('slow')
  await hears(one, heard)
  for (let count = 0; count < 50; count++) {
    one.send(say(`ahead ${count}`))
    if (count % 7 === 0) await new Promise(setImmediate)
  }
  heard += echoes(...Array.from({ length: 50 }, (_, count) => `ahead ${count}`))
  await hears(one, heard)
  const large = 'large '.repeat(100_000)
  one.send(say('before', large) + command('SELECT', '3') + say('behind'))
  await hears(one, heard + echoes('before', large, '3', 'behind'))
})

test('what a peer sends at a desk beside its answers reaches nobody', async () => {
  const { client, row } = await open({ pool: { max: 1 } }, text =>
    text === 'odd' ? bulk('odd') + bulk('whose?') : null,
  )
  const [one, other] = [client(), client()]
  const [first, second] = [await served(one), await served(other)]
  one.send(say('odd'))
  other.send(say('mine'))
  await hears(one, first + bulk('odd'))
  await hears(other, second + bulk('mine'))
  await until('its connection is closed', () => Object.values(row()?.closed ?? {}).length === 1)
})

test('the answer to a client that has gone from a desk is heard by nobody', async () => {
  const held: (() => void)[] = []
  const { client } = await open({ pool: { max: 1 } }, (text, { socket }) => {
    if (text !== 'lost') return null
    held.push(() => socket.write(bulk('lost')))
    return ''
  })
  const [lost, next] = [client(), client()]
  await served(lost)
  const heard = await served(next)
  lost.send(say('lost'))
  await until('its request is under way', () => held.length === 1)
  next.send(say('next'))
  lost.socket.resetAndDestroy()
  held[0]?.()
  await hears(next, heard + bulk('next'))
})

test('a connection that ends at a desk costs its client the answers that it is owed', async () => {
  const { client } = await open({ pool: { max: 1 } }, (text, { socket }) => {
    if (text !== 'die') return null
    socket.destroy()
    return ''
  })
  const one = client()
  const heard = await served(one)
  one.send(say('a', 'die', 'b'))
  await until('it hears of both', () => one.text.split('-ERR').length === 3)
  expect(one.text.startsWith(heard)).toBe(true)
  one.send(say('c'))
  await until('it is served again', () => one.text.endsWith(bulk('c')))
})

test('a caller of the target has its turn while a desk is busy', async () => {
  const { client, pool } = await open({ pool: { max: 1 } })
  let isOver = false
  const busy = Array.from({ length: 4 }, async () => {
    const one = client()
    for (let heard = ''; !isOver; ) {
      heard += bulk('x')
      one.send(say('x'))
      await hears(one, heard)
    }
  })
  for (let round = 0; round < 5; round++)
    expect(String((await pool.exchange('it', { write: say('mine') })).data)).toBe(bulk('mine'))
  isOver = true
  await Promise.all(busy)
})

test('clients of a desk hear what an operator says of the target', async () => {
  const { client, pool } = await open({ pool: { max: 1 } })
  const one = client()
  let heard = await served(one)
  await pool.disable('it')
  heard += '-ERR target_paused: The target is paused\r\n'
  one.send(say('b'))
  await hears(one, heard)
  await pool.enable('it')
  one.send(say('c'))
  await hears(one, heard + bulk('c'))
  pool.reload({ targets: {} })
  one.send(say('d'))
  await until('it hears of that', () => one.text.includes('-ERR target_not_found'))
})

test('clients of a desk are answered before their pool ends them', async () => {
  const held: (() => void)[] = []
  const { client, pool } = await open({}, (text, { socket }) => {
    if (text !== 'held') return null
    held.push(() => socket.write(bulk('held')))
    return ''
  })
  const [idle, busy] = [client(), client()]
  const [, heard] = [await served(idle), await served(busy)]
  busy.send(say('held'))
  await until('it is under way', () => held.length === 1)
  const closed = pool.close({ drainMs: 20_000 })
  await idle.over()
  held[0]?.()
  await busy.over()
  expect(busy.text).toBe(heard + bulk('held'))
  await closed
})

test('a client of a desk that does not read has its answers kept up to a bound, and all of them once it reads', async () => {
  const large = 'x'.repeat(300_000)
  const { client, peer } = await open({ pool: { max: 2 } }, text => (text === 'large' ? bulk(large) : null))
  const [deaf, other] = [client(), client()]
  const before = await served(deaf)
  let heard = await served(other)
  deaf.socket.pause()
  deaf.send(say(...Array.from({ length: 60 }, () => 'large')))
  for (let round = 0; round < 5; round++) {
    heard += bulk(`round ${round}`)
    other.send(say(`round ${round}`))
    await hears(other, heard)
  }
  deaf.socket.resume()
  const length = before.length + 60 * bulk(large).length
  await until('it has all of its answers', () => deaf.text.length === length, 20_000)
  expect(peer.accepted).toBe(2)
})

test('connections outlast the last client of a desk', async () => {
  const { client, pool, row } = await open({ pool: { max: 1 } })
  for (let round = 0; round < 3; round++) {
    const one = client()
    await served(one)
    one.socket.destroy()
    await until('nobody is left', () => pool.forwards.stats()[0]?.clients === 0)
    await until('it lies idle', () => row()?.connections.idle === 1)
  }
  const [asked, heard] = [3 * say('one', 'two').length, 3 * echoes('one', 'two').length]
  await until('all is counted', () => pool.forwards.stats()[0]?.served['done'] === 3)
  expect(pool.forwards.stats()[0]).toMatchObject({ bytesIn: heard, bytesOut: asked })
  expect(row()).toMatchObject({ opened: 1, closed: {} })
})
