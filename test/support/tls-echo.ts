/** A TLS echo in another process, which says when it is held back. It ends with its test. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { watchLeaks } from './leak-watch.ts'
import { testCertificate } from './tls-certs.ts'

/** `total`: bytes that will be sent in all. */
export type TlsEchoRequest =
  | { readonly kind: 'serve'; readonly cert: string; readonly key: string; readonly total: number }
  | { readonly kind: 'ask' }

export type TlsEchoAnswer =
  | { readonly kind: 'listening'; readonly port: number }
  /** The kernel takes no more of the echo, of which `echoed` bytes were written to it. */
  | { readonly kind: 'held'; readonly echoed: number }
  /** The kernel has taken all that there will be. */
  | { readonly kind: 'done' }

export type TlsEcho = {
  readonly host: string
  readonly port: number
  readonly ca: string
  /** Resolves once the kernel takes no more (the bytes written by then) or has it all ('done'). One call at a time. */
  readonly heldOrDone: () => Promise<number | 'done'>
}

/** Starts it for one connection of `total` bytes. */
export async function startTlsEcho(total: number): Promise<TlsEcho> {
  watchLeaks()
  const { cert, key } = await testCertificate()
  const child = fork(new URL('../fixtures/threads/tls-echo-process.ts', import.meta.url))
  const exited = once(child, 'exit')
  const died = exited.then(([code, signal]) => {
    throw new Error(`the peer's process ended: ${code ?? signal}`)
  })
  died.catch(() => 'told to whoever waits for an answer')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const ask = async (request: TlsEchoRequest): Promise<TlsEchoAnswer> => {
    const answered = new Promise<TlsEchoAnswer>(resolve => child.once('message', resolve))
    child.send(request)
    return await Promise.race([answered, died])
  }
  const listening = await ask({ kind: 'serve', cert, key, total })
  if (listening.kind !== 'listening') throw new Error(`the peer does not listen but is ${listening.kind}`)
  const heldOrDone = async (): Promise<number | 'done'> => {
    const answer = await ask({ kind: 'ask' })
    if (answer.kind === 'listening') throw new Error('the peer listens again')
    return answer.kind === 'held' ? answer.echoed : 'done'
  }
  return { host: '127.0.0.1', port: listening.port, ca: cert, heldOrDone }
}
