/**
 * Starts and stops the thread of the demo's upstream. It is for `serve --demo` and the demo only; no pool depends
 * on it, and its death shows as refused connections, as that of any upstream does.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { workerFile } from './worker-file.ts'

export const DEMO_HOST = '127.0.0.1'
export const DEMO_SERVERNAME = 'localhost'

/** The one message of the demo's thread: its servers accept. */
export type DemoAnnouncement = {
  readonly plainPort: number
  readonly tlsPort: number
  /** The certificate of the TLS server, PEM; it is its own authority. */
  readonly ca: string
}

export type DemoUpstream = {
  readonly plain: { readonly host: string; readonly port: number }
  readonly tls: {
    readonly host: string
    readonly port: number
    readonly ca: string
    readonly servername: string
  }
  /** Ends the servers, their connections and the thread. Safe to call twice. */
  close(): Promise<void>
}

/** Starts the echoing servers on free ports of 127.0.0.1. Rejects where the thread cannot start. */
export async function startDemoUpstream(): Promise<DemoUpstream> {
  const worker = new Worker(workerFile('demo-worker'), { name: 'demo-upstream', execArgv: [] })
  const exited = new Promise<void>(resolve => worker.once('exit', () => resolve()))
  const { plainPort, tlsPort, ca } = await announcementOf(worker)
  // A later fault of the thread would end the whole process without a listener; the exit it leads to is enough.
  worker.on('error', () => {})
  let closing: Promise<void> | undefined
  return {
    plain: { host: DEMO_HOST, port: plainPort },
    tls: { host: DEMO_HOST, port: tlsPort, ca, servername: DEMO_SERVERNAME },
    close: () => {
      closing ??= stop(worker, exited)
      return closing
    },
  }
}

async function announcementOf(worker: Worker): Promise<DemoAnnouncement> {
  const gone = new AbortController()
  const died = once(worker, 'exit', { signal: gone.signal }).then(([code]) => {
    throw new Error(`the demo's upstream exited with code ${code} before it was up`)
  })
  try {
    const [announcement] = await Promise.race([once(worker, 'message', { signal: gone.signal }), died])
    return announcement
  } finally {
    died.catch(() => {})
    gone.abort()
  }
}

async function stop(worker: Worker, exited: Promise<void>): Promise<void> {
  worker.postMessage('stop')
  await exited
}
