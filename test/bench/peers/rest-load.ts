/** The HTTP client of row `bulk-rest`, in a process of its own: it makes requests one after another and counts their bytes. */
import { Agent, type IncomingMessage, request } from 'node:http'

export type RestRequest = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Text as base64. */
  readonly body: string
}

/** Its answer is the bytes of all answers, the text of the last, and how long they took. */
export type RestOrder = { readonly port: number; readonly requests: readonly RestRequest[] }
export type RestResult = { readonly bytes: number; readonly last: string; readonly elapsedMs: number }

const LAST_BYTES_MAX = 4_096
const agent = new Agent({ keepAlive: true })

function ask(port: number, { method, path, headers, body }: RestRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body, 'base64')
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: { ...headers, 'content-length': bytes.length },
        agent,
      },
      resolve,
    )
    asked.once('error', reject)
    asked.end(bytes)
  })
}

async function run({ port, requests }: RestOrder): Promise<RestResult> {
  const beganMs = performance.now()
  let bytes = 0
  let last = ''
  for (const one of requests) {
    const answer = await ask(port, one)
    last = ''
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (chunk.length < LAST_BYTES_MAX) last += chunk.toString('latin1')
    }
    if ((answer.statusCode ?? 0) >= 300) throw new Error(`${one.path} answered ${answer.statusCode}: ${last}`)
  }
  return { bytes, last, elapsedMs: performance.now() - beganMs }
}

process.on('message', (order: RestOrder) => {
  run(order).then(
    result => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${error}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
