/** A connection that a request has taken out of HTTP, or asks to: its bytes go to the main thread's app and back as they are. */
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export type TunnelEnds = {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What the client sent behind the request. */
  readonly head: Buffer
}

export type TunnelDeps = {
  /** The main thread's socket. */
  readonly path: string
  /** The header that proves whence the request comes: name and value. */
  readonly pass: readonly [name: string, value: string]
  /** The main thread lets the client in; false where it may not stay after all. */
  readonly admit: () => boolean
}

const ADMITTED = /^HTTP\/1\.1 (?:2\d\d|101) /

/** Returns at once. However one side ends, the other ends too, with the bytes that are under way. */
export function tunnel({ request, socket, head }: TunnelEnds, { path, pass, admit }: TunnelDeps): void {
  const main = connect({ path, allowHalfOpen: true })
  const cut = (): void => {
    main.destroy()
    socket.destroy()
  }
  main.on('error', cut)
  socket.on('error', cut)
  // A unix socket knows no reset: a main thread that breaks it off has not read all, or ends without a last word.
  let hasEnded = false
  main.once('end', () => {
    hasEnded = true
  })
  main.once('close', () => {
    if (hasEnded && socket.writableFinished) return void socket.destroy()
    if (hasEnded) return void socket.end(() => socket.destroy())
    if ('resetAndDestroy' in socket) (socket as Socket).resetAndDestroy()
    else socket.destroy()
  })
  socket.once('close', () => main.destroy())
  main.once('data', (first: Buffer) => {
    if (ADMITTED.test(first.toString('latin1', 0, 16)) && !admit()) return cut()
    socket.write(first)
    main.pipe(socket)
  })
  main.write(headOf(request, pass))
  if (head.length > 0) main.write(head)
  socket.pipe(main)
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
