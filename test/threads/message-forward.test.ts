/** Front doors whose clients have a connection only while a message is under way, against a scripted peer. */
import { describe, expect, test } from 'vitest'
import { bulk, command, hears, openFrontDoor, openRespDoor, RESET } from '../support/front-door.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { type PeerSide, startMultiplexPeer } from '../support/multiplex-peer.ts'
import { targetOf } from '../support/pool-fixture.ts'
import type { RawConnection } from '../support/raw-connection.ts'
import { refusingPort } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const say = (...texts: readonly string[]): string => texts.map(text => command('ECHO', text)).join('')
const echoes = (...texts: readonly string[]): string => texts.map(bulk).join('')

describe('a client of a front door', () => {
  test('holds a connection while its message is under way, and none between two', async () => {
    const held: (() => void)[] = []
    const { client, row } = await openRespDoor({}, ([, text], { socket }) => {
      held.push(() => socket.write(bulk(text ?? '')))
      return ''
    })
    const one = client()
    expect(row().connections).toMatchObject({ leased: 0 })
    one.send(say('a'))
    await until('the request has come', () => held.length === 1)
    expect(row().connections).toMatchObject({ leased: 1 })
    held.shift()?.()
    await hears(one, echoes('a'))
    await until('the connection lies idle', () => row().connections.idle >= 1)
    one.send(say('b'))
    await until('the request has come', () => held.length === 1)
    held.shift()?.()
    await hears(one, echoes('a', 'b'))
    expect(row()).toMatchObject({ opened: 1, connections: { max: 10 } })
  })

  test('has a whole pipeline answered in order, by one write of one connection', async () => {
    const { client, peer, row } = await openRespDoor({ pool: { max: 3 } })
    const one = client()
    one.send(say('first'))
    await hears(one, echoes('first'))
    await until('the connection lies idle', () => row().connections.idle >= 1)
    const texts = Array.from({ length: 100 }, (_, index) => `text ${index}`)
    const pieces = peer.sides[0]?.pieces ?? 0
    one.send(say(...texts))
    await hears(one, echoes('first', ...texts))
    expect(peer.accepted).toBe(1)
    expect((peer.sides[0]?.pieces ?? 0) - pieces).toBeLessThanOrEqual(2)
  })

  test('may send a request in pieces, inline commands, and its end behind them', async () => {
    const { client } = await openRespDoor()
    const one = client()
    for (const byte of `${say('slow')}ECHO inline\r\n`) {
      one.send(byte)
      await new Promise(setImmediate)
    }
    one.socket.end()
    await one.over()
    expect(one.text).toBe(echoes('slow', 'inline'))
  })

  test('has a request of many reads, and an answer of many, whole', async () => {
    const { client } = await openRespDoor()
    const one = client()
    const large = 'large '.repeat(200_000)
    one.send(say(large, 'small'))
    await hears(one, echoes(large, 'small'))
  })

  test('leaves as soon as it quits', async () => {
    const { client, stats } = await openRespDoor()
    const one = client()
    one.send(`${say('a')}${command('QUIT')}${say('b')}`)
    await one.over()
    expect(one.text).toBe(`${echoes('a')}+OK\r\n`)
    await until('nobody is left', () => stats().clients === 0)
  })

  test.each([
    ['no request', '*1\r\n+PING\r\n'],
    ['HTTP that was smuggled in', 'POST / HTTP/1.1\r\n'],
    ['an empty request', '\r\n'],
  ])('hears what is wrong behind its answers, and is disconnected: %s', async (_, wrong) => {
    const { client } = await openRespDoor()
    const one = client()
    one.send(say('a') + wrong + say('b'))
    await one.over()
    expect(one.text).toBe(`${echoes('a')}-ERR Protocol error: the request is malformed\r\n`)
  })
})

describe('clients of a front door', () => {
  test('share few connections, and each hears its own answers', async () => {
    const { client, peer, row } = await openRespDoor({ pool: { max: 2 } })
    const clients = Array.from({ length: 20 }, () => client())
    await Promise.all(
      clients.map(async (one, who) => {
        const heard: string[] = []
        for (let round = 0; round < 20; round++) {
          const texts = Array.from({ length: 1 + (round % 3) }, (_, index) => `${who}/${round}/${index}`)
          heard.push(...texts)
          one.send(say(...texts))
          await hears(one, echoes(...heard), 30_000)
        }
      }),
    )
    expect(peer.accepted).toBeLessThanOrEqual(2)
    expect(row().closed).toEqual({})
    await until('none is held', () => row().connections.leased === 0)
  })

  test('leave others their turn at the target', async () => {
    const { client, pool } = await openRespDoor({ pool: { max: 1 } })
    let isOver = false
    const busy = Array.from({ length: 4 }, async () => {
      const one = client()
      for (let heard = ''; !isOver; ) {
        heard += echoes('x')
        one.send(say('x'))
        await hears(one, heard)
      }
    })
    for (let round = 0; round < 10; round++)
      expect(String((await pool.exchange('it', { write: say('mine') })).data)).toBe(bulk('mine'))
    isOver = true
    await Promise.all(busy)
  })

  test('never hear the answer to one that was killed', async () => {
    const held: (() => void)[] = []
    const { client, peer } = await openRespDoor({ pool: { max: 1 } }, ([, text], { socket }) => {
      if (text !== 'lost') return null
      held.push(() => socket.write(bulk('lost')))
      return ''
    })
    const [lost, next] = [client(), client()]
    lost.send(say('lost'))
    await until('its request is under way', () => held.length === 1)
    next.send(say('next'))
    lost.socket.resetAndDestroy()
    held[0]?.()
    await hears(next, echoes('next'))
    expect(peer.accepted).toBe(1)
  })

  test('never hear what a peer sends beside its answers', async () => {
    const { client, peer, row } = await openRespDoor({ pool: { max: 1 } }, ([, text]) =>
      text === 'odd' ? bulk('odd') + bulk('whose?') : null,
    )
    const clients = Array.from({ length: 5 }, () => client())
    for (const one of clients) one.send(say('odd'))
    for (const one of clients) await hears(one, bulk('odd'))
    clients[0]?.send(say('even'))
    await hears(clients[0] ?? client(), bulk('odd') + bulk('even'))
    expect(peer.accepted).toBe(6)
    expect(row().closed).toMatchObject({ poisoned: 5 })
  })

  test('are served while one does not read, of which nothing more is read', async () => {
    const large = 'x'.repeat(200_000)
    const { client, peer } = await openRespDoor({ pool: { max: 2 } }, ([, text]) =>
      text === 'large' ? bulk(large) : null,
    )
    const [deaf, other] = [client(), client()]
    deaf.socket.pause()
    for (let count = 0; count < 100; count++) {
      deaf.send(say('large'))
      await new Promise(setImmediate)
    }
    let heard = ''
    for (let round = 0; round < 10; round++) {
      heard += echoes(`round ${round}`)
      other.send(say(`round ${round}`))
      await hears(other, heard)
    }
    expect(peer.accepted).toBe(2)
    deaf.socket.resume()
    await until('it has all of its answers', () => deaf.text.length === 100 * bulk(large).length, 20_000)
    expect(peer.accepted).toBe(2)
  })

  test('that do not read hold what others wait for no longer than an answer may take', async () => {
    const large = 'x'.repeat(4_000_000)
    const answer = ([, text]: readonly string[]): string | null => (text === 'large' ? bulk(large) : null)
    const { client, row } = await openRespDoor({ pool: { max: 1 } }, answer, { timeoutMs: 500 })
    const [deaf, other] = [client(), client()]
    deaf.socket.pause()
    deaf.send(say('large', 'large', 'large', 'large'))
    await until('it is being answered', () => row().connections.leased === 1)
    other.send(say('other'))
    await hears(other, bulk('other'))
    await until('nothing is held', () => row().connections.leased === 0)
    deaf.socket.resume()
    other.send(say('again'))
    await hears(other, bulk('other') + bulk('again'))
    expect(deaf.text.length).toBeLessThan(4 * large.length)
  })
})

describe('trouble behind a front door', () => {
  test('is told in the place of each answer, and the client stays', async () => {
    const port = await refusingPort()
    const target = { host: '127.0.0.1', port, frame: 'resp', breaker: false } as const
    const { client, stats } = await openFrontDoor(target)
    const one = client()
    one.send(say('a', 'b'))
    const refused = '-ERR connect_refused: The connection was refused\r\n'
    await hears(one, refused.repeat(2))
    one.send(say('c'))
    await hears(one, refused.repeat(3))
    expect(stats().clients).toBe(1)
  })

  test('ends with the time that a client may wait for a connection', async () => {
    const { client, pool } = await openRespDoor({ pool: { max: 1, waitTimeout: '50ms' } })
    const one = client()
    await pool.use(
      'it',
      async () => {
        one.send(say('a'))
        await hears(one, '-ERR wait_timeout: No connection became free in time\r\n')
      },
      { waitMs: 5_000 },
    )
    one.send(say('b'))
    await hears(one, `-ERR wait_timeout: No connection became free in time\r\n${bulk('b')}`)
  })

  test('is told at once where nobody may wait', async () => {
    const { client, pool } = await openRespDoor({ pool: { max: 1, waitTimeout: 0 } })
    const one = client()
    await pool.use('it', async () => {
      one.send(say('a'))
      await hears(one, '-ERR pool_exhausted: No connection is free\r\n')
    })
    one.send(say('b'))
    await hears(one, `-ERR pool_exhausted: No connection is free\r\n${bulk('b')}`)
  })

  test('a peer that does not answer costs its connection and one answer', async () => {
    const answer = ([, text]: readonly string[]): string | null => (text === 'mute' ? '' : null)
    const { client, row } = await openRespDoor({}, answer, { timeoutMs: 500 })
    const one = client()
    one.send(say('a', 'mute'))
    const heard = `${bulk('a')}-ERR read_timeout: The read did not finish in time\r\n`
    await hears(one, heard)
    one.send(say('b'))
    await hears(one, heard + bulk('b'))
    await until('it is closed', () => row().closed['timed_out'] === 1)
  })

  test('a peer that ends in the middle of an answer costs that answer', async () => {
    const { client } = await openRespDoor({}, ([, text], { socket }) => {
      if (text !== 'half') return null
      socket.end('$10\r\n12345')
      return ''
    })
    const one = client()
    one.send(say('a', 'half', 'b'))
    const lost = '-ERR connection_reset: The connection was reset\r\n'
    await until('it hears of both', () => one.text.split('-ERR').length === 3)
    expect(one.text.replaceAll(/-ERR frame_broken[^\r]*\r\n/g, lost)).toBe(bulk('a') + lost + lost)
    one.send(say('c'))
    await until('it is served again', () => one.text.endsWith(bulk('c')))
  })

  test('a paused target has its clients wait, a disabled one refuses them', async () => {
    const { client, pool } = await openRespDoor({ pool: { max: 1 } })
    const one = client()
    await pool.pause('it')
    one.send(say('a'))
    await until('it waits', () => (pool.targets()[0]?.waiters ?? 0) > 0)
    await pool.resume('it')
    await hears(one, bulk('a'))
    await pool.pause('it')
    one.send(say('b'))
    await until('it waits', () => (pool.targets()[0]?.waiters ?? 0) > 0)
    await pool.disable('it')
    await hears(one, `${bulk('a')}-ERR target_paused: The target is paused\r\n`)
    await pool.enable('it')
    one.send(say('c'))
    await until('it is served again', () => one.text.endsWith(bulk('c')))
  })

  test('a connection that is killed ends nobody', async () => {
    const held: PeerSide[] = []
    const { client, pool } = await openRespDoor({ pool: { max: 1 } }, ([, text], side) => {
      if (text !== 'held') return null
      held.push(side)
      return ''
    })
    const [one, other] = [client(), client()]
    one.send(say('held'))
    await until('it is under way', () => held.length === 1)
    other.send(say('other'))
    await pool.kill(pool.connections()[0]?.id ?? '')
    await hears(one, '-ERR connection_reset: The connection was reset\r\n')
    await hears(other, bulk('other'))
  })
})

describe('a command that needs a connection of its own', () => {
  test('pins its client until that leaves, and a dialog makes the connection anybody’s again', async () => {
    const { client, peer, row, stats } = await openRespDoor({ ...RESET, pool: { max: 2 } })
    const [pinned, other] = [client(), client()]
    pinned.send(say('a') + command('SELECT', '3') + say('b'))
    await hears(pinned, echoes('a', '3', 'b'))
    expect(stats()).toMatchObject({ pinned: 1, pins: { select: 1 } })
    expect(row().connections.leased).toBe(1)
    pinned.send(say('c'))
    await hears(pinned, echoes('a', '3', 'b', 'c'))
    other.send(say('other'))
    await hears(other, bulk('other'))
    expect(peer.accepted).toBe(2)
    pinned.socket.end()
    await until('it is anybody’s', () => row().connections.idle === 2)
    expect(row().closed).toEqual({})
    expect(stats()).toEqual({ clients: 1, pinned: 0, pins: { select: 1 } })
    const [first] = peer.sides
    expect(String(first?.requests.at(-1))).toBe('RESET\r\n')
  })

  test('has its connection closed where nothing undoes it', async () => {
    const { client, row } = await openRespDoor({ pool: { max: 2 } })
    const one = client()
    one.send(command('SELECT', '3'))
    await hears(one, bulk('3'))
    one.socket.end()
    await until('it is closed', () => row().closed['policy'] === 1)
  })

  test('has bytes flow both ways as they come', async () => {
    let push: ((text: string) => void) | null = null
    const { client, stats } = await openRespDoor({}, ([name], { socket }) => {
      if (name !== 'SUBSCRIBE') return null
      push = text => void socket.write(text)
      return '+subscribed\r\n'
    })
    const one = client()
    one.send(command('SUBSCRIBE', 'news'))
    await hears(one, '+subscribed\r\n')
    expect(stats()).toMatchObject({ pinned: 1, pins: { subscribe: 1 } })
    ;(push as ((text: string) => void) | null)?.('+half a li')
    await hears(one, '+subscribed\r\n+half a li')
  })

  test('gives a client that ends behind its requests their answers', async () => {
    const { client, row } = await openRespDoor(RESET)
    const one = client()
    one.send(command('MULTI') + say('a') + command('EXEC'))
    one.socket.end()
    await one.over()
    expect(one.text).toBe(echoes('MULTI', 'a', 'EXEC'))
    await until('nothing is held', () => row().connections.leased === 0)
  })

  test('hears why there is none, and is no more pinned than before', async () => {
    const { client, pool, stats } = await openRespDoor({ pool: { max: 1, waitTimeout: '20ms' } })
    const one = client()
    await pool.use(
      'it',
      async () => {
        one.send(command('MULTI'))
        await hears(one, '-ERR wait_timeout: No connection became free in time\r\n')
      },
      { waitMs: 5_000 },
    )
    expect(stats()).toEqual({ clients: 1, pinned: 0, pins: {} })
    one.send(say('a'))
    await until('it is served', () => one.text.endsWith(bulk('a')))
  })

  test('that blocks holds one until it is answered, and no longer', async () => {
    const { client, peer, row, stats } = await openRespDoor({ pool: { max: 1 } }, ([name], { requests }) => {
      const isBlocked = requests.some(request => String(request).includes('BLPOP'))
      return name === 'BLPOP' || isBlocked ? '' : null
    })
    const one = client()
    one.send(command('BLPOP', 'list', '0') + say('behind'))
    await until('it blocks', () => (peer.sides[0]?.requests.length ?? 0) === 2)
    expect(row().connections.leased).toBe(1)
    expect(stats()).toMatchObject({ pinned: 0, pins: { blocking: 1 } })
    one.socket.end()
    await until('its connection is closed with it', () => row().closed['error'] === 1)
    const [other] = [client()]
    other.send(say('other'))
    await hears(other, bulk('other'))
  })
})

describe('the end of a front door', () => {
  const holding = (): {
    readonly held: PeerSide[]
    readonly answer: (words: readonly string[], side: PeerSide) => string | null
  } => {
    const held: PeerSide[] = []
    const answer = ([, text]: readonly string[], side: PeerSide): string | null => {
      if (text !== 'held') return null
      held.push(side)
      return ''
    }
    return { held, answer }
  }

  test('that drains has each client answered, and those that are idle leave at once', async () => {
    const { held, answer } = holding()
    const { client, forward, server } = await openRespDoor({}, answer)
    const [idle, busy] = [client(), client()]
    idle.send(say('a'))
    await hears(idle, bulk('a'))
    busy.send(say('held'))
    await until('it is under way', () => held.length === 1)
    forward.drain()
    await idle.over()
    const late = client()
    await late.over()
    held[0]?.socket.write(bulk('held'))
    await busy.over()
    expect([idle.text, busy.text, late.text]).toEqual([bulk('a'), bulk('held'), ''])
    server.close()
    await server.waitClosed()
  })

  test('that is closed leaves nobody, nothing held and nobody waiting', async () => {
    const { held, answer } = holding()
    const { client, forward, row, stats } = await openRespDoor({ pool: { max: 2 } }, answer)
    const [idle, busy, pinned, waiting] = [client(), client(), client(), client()]
    pinned.send(command('SELECT', '1'))
    await hears(pinned, bulk('1'))
    busy.send(say('held'))
    await until('it is under way', () => held.length === 1)
    waiting.send(say('waiting'))
    idle.send('*1\r\n')
    await until('all have come', () => stats().clients === 4)
    await forward[Symbol.asyncDispose]()
    await Promise.all([idle, busy, pinned, waiting].map(one => one.over()))
    await until('nothing is held', () => row().connections.leased + row().waiters === 0)
    expect(stats()).toMatchObject({ clients: 0, pinned: 0 })
  })

  test('that goes with its pool lets answers come for as long as the pool drains', async () => {
    const { held, answer } = holding()
    const { client, pool } = await openRespDoor({}, answer)
    const [idle, busy] = [client(), client()]
    idle.send(say('a'))
    await hears(idle, bulk('a'))
    busy.send(say('held'))
    await until('it is under way', () => held.length === 1)
    const closed = pool.close({ drainMs: 10_000 })
    await idle.over()
    held[0]?.socket.write(bulk('held'))
    await busy.over()
    await closed
    expect(busy.text).toBe(bulk('held'))
    expect(() => pool.messages.open('it', {})).toThrow(expect.objectContaining({ code: 'DRAINING' }))
  })

  test('that goes with its pool at once ends those who wait for answers', async () => {
    const { held, answer } = holding()
    const { client, pool } = await openRespDoor({ pool: { max: 1 } }, answer)
    const [busy, waiting] = [client(), client()]
    busy.send(say('held'))
    await until('it is under way', () => held.length === 1)
    waiting.send(command('SELECT', '1'))
    await pool.close()
    await Promise.all([busy.over(), waiting.over()])
  })

  test('that loses its I/O worker loses the clients there, and serves those who come again', async () => {
    const peer = await startMultiplexPeer('resp', (request, { socket }) => {
      if (!String(request).includes('held')) socket.write(bulk('answer'))
    })
    const options = { ioWorkers: 1, ioWorkerFile: TRAPPED_IO_WORKER }
    const { client, row, stats } = await openFrontDoor(targetOf(peer, { frame: 'resp' }), {}, options)
    const [idle, busy, pinned] = [client(), client(), client()]
    idle.send(say('a'))
    pinned.send(command('SELECT', '1'))
    await Promise.all([hears(idle, bulk('answer')), hears(pinned, bulk('answer'))])
    busy.send(say('held'))
    await until('it is under way', () => row().connections.leased === 2)
    await setTrap({ worker: 0, do: 'throw' })
    await Promise.all([idle.over(), busy.over(), pinned.over()])
    await until('nobody is left', () => stats().clients === 0 && row().connections.leased === 0)
    const again = (): RawConnection => {
      const next = client()
      next.send(say('b'))
      return next
    }
    let next = again()
    const isServed = (): boolean => {
      // Another worker listens in a moment.
      if (next.error !== null || next.isEnded) next = again()
      return next.text === bulk('answer')
    }
    await until('somebody is served again', isServed, 20_000)
  })

  test('whose target is removed is told to its clients', async () => {
    const { held, answer } = holding()
    const { client, pool, peer } = await openRespDoor({}, answer)
    const one = client()
    one.send(say('held'))
    await until('it is under way', () => held.length === 1)
    pool.reload({ targets: { other: { host: peer.host, port: peer.port } } })
    await hears(one, '-ERR connection_reset: The connection was reset\r\n')
    one.send(say('a'))
    await until('it hears of that', () => one.text.endsWith('-ERR target_not_found: No such target\r\n'))
  })

  test('whose target speaks another protocol disconnects those who spoke the old one', async () => {
    const { client, pool, peer } = await openRespDoor()
    const one = client()
    one.send(say('a'))
    await hears(one, bulk('a'))
    pool.reload({ targets: { it: { host: peer.host, port: peer.port, frame: 'memcached' } } })
    one.send(say('b'))
    await one.over()
    const late = client()
    late.send('*1\r\n')
    await late.over()
    expect(late.text).toBe('CLIENT_ERROR the request is malformed\r\n')
  })
})

describe('a front door on a target that shares its connections', () => {
  test('holds none, and answers each client in the order of its requests', async () => {
    const { client, peer, row } = await openRespDoor({ multiplex: { connections: 1 } })
    const clients = Array.from({ length: 10 }, () => client())
    await Promise.all(
      clients.map(async (one, who) => {
        const texts = Array.from({ length: 300 }, (_, index) => `${who}/${index}`)
        one.send(say(...texts))
        await hears(one, echoes(...texts), 20_000)
      }),
    )
    expect(peer.accepted).toBe(1)
    expect(row().connections).toMatchObject({ multiplexed: 1, leased: 0 })
  })

  test('gives a client that is pinned, and one that blocks, a connection beside the shared one', async () => {
    const answer = ([name]: readonly string[]): string | null => (name === 'BLPOP' ? '*-1\r\n' : null)
    const { client, peer, row, stats } = await openRespDoor({ ...RESET, multiplex: {} }, answer)
    const one = client()
    one.send(say('a') + command('BLPOP', 'list', '1') + say('b') + command('SELECT', '2') + say('c'))
    await hears(one, `${bulk('a')}*-1\r\n${echoes('b', '2', 'c')}`)
    expect(row().connections).toMatchObject({ multiplexed: 1, leased: 1 })
    expect(stats()).toMatchObject({ pinned: 1, pins: { blocking: 1, select: 1 } })
    expect(peer.sides[0]?.requests.map(String)).toEqual([say('a'), say('b')])
  })

  test('tells of an answer that is lost in its place', async () => {
    const { client, pool } = await openRespDoor({ multiplex: {} }, ([, text], { socket }) => {
      if (text === 'die') socket.destroy()
      return text === 'die' ? '' : null
    })
    const one = client()
    one.send(say('a'))
    await hears(one, bulk('a'))
    one.send(say('die'))
    await hears(one, `${bulk('a')}-ERR connection_reset: The connection was reset\r\n`)
    await pool.disable('it')
    one.send(say('b'))
    await until('it is refused', () => one.text.endsWith('-ERR target_paused: The target is paused\r\n'))
    await pool.enable('it')
    one.send(say('c'))
    await until('it is served again', () => one.text.endsWith(bulk('c')))
  })
})
