/**
 * A connection that a request has taken out of HTTP, or asks to: its bytes go to the main thread's app and back as they are.
 * However one side ends, by its end, by a reset or by going away, the other ends so too.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'
import { breakOff } from '../../src/base/break-off.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { RelayedSocket } from '../../src/threads/relayed-socket.ts'

export type TunnelEnds = {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What the client sent behind the request. */
  readonly head: Buffer
}

export type TunnelDeps = {
  /** A port whose other end the main thread takes as a connection that leaves HTTP. */
  readonly openTunnel: () => MessagePort
  /** The header that proves whence the request comes: name and value. */
  readonly pass: readonly [name: string, value: string]
  /** The main thread lets the client in; false where it may not stay after all. */
  readonly admit: () => boolean
}

const ADMITTED = /^HTTP\/1\.1 (?:2\d\d|101) /

/** Returns at once. */
export function tunnel({ request, socket, head }: TunnelEnds, { openTunnel, pass, admit }: TunnelDeps): void {
  if (socket.destroyed) return
  const main = new RelayedSocket(openTunnel(), isReset => {
    if (isReset) breakOff(socket)
    else endBehind(main, socket)
  })
  passToClient(main, socket, admit)
  main.on('error', () => socket.destroy())
  main.once('close', () => {
    if (!main.readableEnded) socket.destroy()
  })
  socket.once('close', () => {
    // With both directions over, what the client has sent is still on its way.
    if (!(socket.readableEnded && socket.writableFinished)) main.destroy()
  })
  main.write(headOf(request, pass))
  if (head.length > 0) main.write(head)
  socket.pipe(main)
}

function passToClient(main: RelayedSocket, socket: Duplex, admit: () => boolean): void {
  let isAnswered = false
  main.on('data', (bytes: Buffer) => {
    if (!isAnswered && ADMITTED.test(bytes.toString('latin1', 0, 16)) && !admit()) {
      main.destroy()
      return void socket.destroy()
    }
    isAnswered = true
    if (!socket.write(bytes)) main.pause()
  })
  socket.on('drain', () => main.resume())
  main.once('end', () => socket.end())
}

/** The main thread has closed its side: the client gets what came before, as the kernel would have sent it, and its end. */
function endBehind(main: RelayedSocket, socket: Duplex): void {
  main.endReading()
  if (socket.writableFinished) return void socket.destroy()
  socket.once('finish', () => socket.destroy())
  const stalled = setTimeout(() => socket.destroy(), LIMITS.httpAnswerStallMs)
  socket.once('close', () => clearTimeout(stalled))
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage, pass: TunnelDeps['pass']): Buffer {
  const [passName] = pass
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.toLowerCase() !== passName) lines.push(`${name}: ${rawHeaders[at + 1]}`)
  }
  lines.push(pass.join(': '))
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
