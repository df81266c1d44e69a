import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { RelayedSocket } from '../../../src/threads/relayed-socket.ts'
import { until } from '../../support/until.ts'

type Pair = {
  readonly near: RelayedSocket
  readonly far: RelayedSocket
  /** How `far` was told that `near` is gone. */
  readonly told: boolean[]
}

/** `tells`: `far` is told, and does not close by itself. */
function pair({ tells = false } = {}): Pair {
  const { port1, port2 } = new MessageChannel()
  const told: boolean[] = []
  const near = new RelayedSocket(port1)
  const far = tells ? new RelayedSocket(port2, isReset => told.push(isReset)) : new RelayedSocket(port2)
  onTestFinished(() => {
    near.destroy()
    far.destroy()
  })
  return { near, far, told }
}

function received(socket: RelayedSocket): { text: string } {
  const heard = { text: '' }
  socket.on('data', (bytes: Buffer) => {
    heard.text += bytes.toString()
  })
  return heard
}

describe('RelayedSocket', () => {
  test('passes bytes both ways, and the end of one direction behind its last byte', async () => {
    const { near, far } = pair()
    const [atNear, atFar] = [received(near), received(far)]
    near.write('one ')
    near.end('two')
    await once(far, 'end')
    expect(atFar.text).toBe('one two')
    far.write('still ')
    far.end('there')
    await Promise.all([once(near, 'close'), once(far, 'close')])
    expect(atNear.text).toBe('still there')
  })

  test('sends what a view shows, and none of the memory around it', async () => {
    const { near, far } = pair()
    const whole = Buffer.from('a secret beside')
    near.write(whole.subarray(2, 8))
    const [bytes] = (await once(far, 'data')) as [Buffer]
    expect([bytes.toString(), bytes.buffer.byteLength]).toEqual(['secret', 6])
    expect(whole.toString()).toBe('a secret beside')
  })

  test('sends no more than its window to a side that takes nothing, and the rest once it takes', async () => {
    const { near, far } = pair()
    const piece = Buffer.alloc(65_536, 'x')
    let taken = 0
    const pieces = 40
    for (let count = 0; count < pieces; count++) near.write(piece, () => taken++)
    await until('the window is full', () => far.readableLength >= LIMITS.relayWindowBytes)
    await new Promise(resolve => setImmediate(resolve))
    expect(far.readableLength).toBe(LIMITS.relayWindowBytes)
    expect(taken).toBeLessThanOrEqual(LIMITS.relayWindowBytes / piece.length)
    const heard = received(far)
    near.end()
    await once(far, 'end')
    expect([heard.text.length, taken]).toEqual([pieces * piece.length, pieces])
  })

  test('tells of a reset at once, whatever is not taken yet', async () => {
    const { near, far, told } = pair({ tells: true })
    near.write(Buffer.alloc(4 * LIMITS.relayWindowBytes))
    await until('bytes wait', () => far.readableLength > 0)
    near.resetAndDestroy()
    await until('it is told', () => told.length > 0)
    expect(told).toEqual([true, false])
    expect(near.destroyed).toBe(true)
  })

  test('closes with the other side where that one said no end, and nobody takes it for one', async () => {
    const { near, far } = pair()
    let hasEnded = false
    far.on('end', () => {
      hasEnded = true
    })
    far.resume()
    near.write('half of')
    near.destroy()
    await once(far, 'close')
    expect(hasEnded).toBe(false)
  })

  test('leaves what came before both ends to be read', async () => {
    const { near, far } = pair()
    far.end()
    near.resume()
    await once(near, 'end')
    near.end('the last word')
    await once(near, 'close')
    // Its side is closed, and told.
    await new Promise(resolve => setImmediate(resolve))
    expect(far.destroyed).toBe(false)
    const heard = received(far)
    await once(far, 'close')
    expect(heard.text).toBe('the last word')
  })

  test('closes where the port does without a word, as that of a thread that died', async () => {
    const { port1, port2 } = new MessageChannel()
    const socket = new RelayedSocket(port2)
    port1.close()
    await once(socket, 'close')
    expect(socket.readableEnded).toBe(false)
  })
})
