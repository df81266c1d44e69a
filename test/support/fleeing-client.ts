/**
 * A TLS client that hangs up at a moment of the test's choice: after so many bytes of its own side of the handshake, or as
 * soon as that is done; with FIN, with a reset, or with TLS's own end and then a reset.
 */
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, type SecureVersion } from 'node:tls'
import { onTestFinished } from 'vitest'

export type Flight = {
  /** Bytes that leave before it hangs up; at the latest it does once it is connected, TLS included. */
  readonly afterBytes: number
  readonly how: 'fin' | 'reset' | 'goodbye'
  readonly version: SecureVersion
}

/** Resolves when nothing is left of it. */
export function flee(port: number, { afterBytes, how, version }: Flight): Promise<void> {
  const raw = connect(port, '127.0.0.1')
  raw.on('error', () => {})
  const gone = new Promise<void>(resolve => raw.once('close', () => resolve()))
  const hangUp = (): void => {
    if (how === 'fin') raw.destroy()
    else raw.resetAndDestroy()
  }
  const line = lineOf(raw, afterBytes, hangUp)
  const tls = connectTls({
    socket: line,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
  })
  tls.on('error', () => {})
  tls.once('secureConnect', () => {
    if (how === 'goodbye') tls.end()
    setImmediate(hangUp)
  })
  // A server that drops it does the rest.
  raw.once('end', hangUp)
  onTestFinished(() => {
    tls.destroy()
    raw.destroy()
  })
  return gone
}

/** The raw connection, which takes so many bytes and is told then. */
function lineOf(raw: Socket, bytes: number, spent: () => void): Duplex {
  let left = bytes
  const line = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      const piece = chunk.subarray(0, left)
      left -= piece.length
      if (!raw.destroyed) raw.write(piece)
      if (left === 0) setImmediate(spent)
      done()
    },
    final: done => done(),
  })
  line.on('error', () => {})
  raw.on('data', chunk => line.push(chunk))
  raw.once('close', () => line.destroy())
  if (bytes === 0) raw.once('connect', spent)
  return line
}
