/**
 * A front door that is served message by message, in front of a peer that the test scripts, and clients as bytes. A scripted
 * RESP peer answers each request with its last word, but for those that are for the script.
 */
import { onTestFinished } from 'vitest'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import { startServer } from '../../src/library/start-server.ts'
import type { MessageForward } from '../../src/pool/forward/message-forward.ts'
import type { MessageForwardOptions } from '../../src/pool/message-forwards.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { Server } from '../../src/pool/server/server.ts'
import type { MessageForwardStats, TargetStats } from '../../src/pool/target/pool-stats.ts'
import { type MultiplexPeer, type PeerSide, startMultiplexPeer } from './multiplex-peer.ts'
import { openPool, targetOf } from './pool-fixture.ts'
import { RawConnection } from './raw-connection.ts'
import { until } from './until.ts'

type TargetInput = NonNullable<PoolOptions['targets']>[string]

export type FrontDoor = {
  readonly pool: Pool
  readonly forward: MessageForward
  readonly server: Server
  /** A client, which is gone when the test is over. */
  readonly client: () => RawConnection
  readonly row: () => TargetStats
  readonly stats: () => MessageForwardStats
}

export async function openFrontDoor(
  target: TargetInput,
  options: MessageForwardOptions = {},
  poolOptions: PoolOptions = {},
): Promise<FrontDoor> {
  const pool = await openPool({ ...poolOptions, targets: { it: target } })
  const forward = pool.messages.open('it', options)
  const server = await startServer(forward.handler, '127.0.0.1', 0, { pool })
  const row = (): TargetStats => {
    const [first] = pool.targets()
    if (first === undefined) throw new Error('the pool has a target')
    return first
  }
  return {
    ...{ pool, forward, server, row },
    client: () => {
      const client = RawConnection.open(server.address.port)
      onTestFinished(() => {
        client.socket.destroy()
      })
      return client
    },
    stats: () => {
      const { messages } = row()
      if (messages === null) throw new Error('the target has a front door')
      return messages
    },
  }
}

export type Scripted = FrontDoor & { readonly peer: MultiplexPeer }
type Answer = (words: readonly string[], side: PeerSide) => string | null

/** `answer`: for the requests that it knows; null: as ever. An empty text: none. */
export async function openRespDoor(
  more: Partial<TargetInput> = {},
  answer: Answer = () => null,
  options: MessageForwardOptions = {},
): Promise<Scripted> {
  const peer = await startMultiplexPeer('resp', (request, side) => {
    const words = wordsOf(String(request))
    side.socket.write(answer(words, side) ?? (words[0] === 'RESET' ? '+RESET\r\n' : bulk(words.at(-1) ?? '')))
  })
  return { peer, ...(await openFrontDoor(targetOf(peer, { frame: 'resp', ...more }), options)) }
}

/** The dialog of the redis preset for a connection that comes back. */
export const RESET: Pick<TargetInput, 'onRelease'> = {
  onRelease: [{ send: 'RESET\r\n' }, { expect: '+RESET\r\n' }],
}

/** A command as an array of strings. */
export function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map(bulk).join('')}`
}

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

/** Resolves when exactly this has come to the client since its beginning. */
export async function hears(client: RawConnection, text: string, withinMs = 10_000): Promise<void> {
  await until(
    `a client hears ${JSON.stringify(text)}, not ${JSON.stringify(client.text.slice(0, 200))}`,
    () => client.text.length >= text.length,
    withinMs,
  )
  if (client.text !== text)
    throw new Error(`a client heard ${JSON.stringify(client.text)}, not ${JSON.stringify(text)}`)
}

function wordsOf(request: string): readonly string[] {
  if (!request.startsWith('*')) return request.trim().split(' ')
  return request.split('\r\n').filter((_, index) => index > 0 && index % 2 === 0)
}
