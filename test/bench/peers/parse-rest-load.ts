/**
 * The callers of row `parse-rest`, in a process of their own: so many bodies of the same records at once, each read to the end
 * of its answer; and one that asks for `/livez` now and then meanwhile. Each is asked in a process of its own.
 */
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** Has the process send so many bodies at once; its answer is a ParseLoadResult. */
export type ParseLoadOrder = {
  readonly kind: 'load'
  readonly port: number
  readonly callers: number
  readonly bodyBytes: number
  readonly accept: string
}
export type ParseLoadResult = { readonly bytes: number; readonly elapsedMs: number }

/** Has it ask for `/livez` until it is told to stop; its answer to that is the milliseconds that each took. */
export type ProbeOrder = { readonly kind: 'probe'; readonly port: number } | { readonly kind: 'stop' }

const PROBE_EVERY_MS = 5

let body: Buffer = Buffer.alloc(0)
const agent = new Agent({ keepAlive: true })
let isProbing = false
let tookMs: number[] = []

async function load({ port, callers, bodyBytes, accept }: ParseLoadOrder): Promise<ParseLoadResult> {
  if (body.length !== bodyBytes) body = records(bodyBytes)
  const beganMs = performance.now()
  const one = async (): Promise<void> => {
    const { status, bytes } = await post(port, accept)
    // The answers have no space after a colon; all else stays.
    if (status !== 200 || bytes < bodyBytes * 0.8) throw new Error(`${status} with ${bytes} bytes`)
  }
  await Promise.all(Array.from({ length: callers }, one))
  return { bytes: callers * bodyBytes, elapsedMs: performance.now() - beganMs }
}

function records(bytes: number): Buffer {
  const line = '{"id": 12345, "name": "somebody else", "price": 12.50, "tags": ["a", "b"], "note": null}\n'
  return Buffer.from(line.repeat(Math.floor(bytes / line.length)).padEnd(bytes))
}

function post(port: number, accept: string): Promise<{ readonly status: number; readonly bytes: number }> {
  return new Promise((resolve, reject) => {
    const headers = { accept, 'content-length': body.length }
    const asked = request({ port, method: 'POST', path: '/v1/parse/ndjson', headers, agent }, answer => {
      sizeOf(answer).then(bytes => resolve({ status: answer.statusCode ?? 0, bytes }), reject)
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

async function sizeOf(answer: IncomingMessage): Promise<number> {
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) bytes += chunk.length
  return bytes
}

async function probe(port: number): Promise<void> {
  while (isProbing) {
    const beganMs = performance.now()
    await new Promise<void>((resolve, reject) => {
      const asked = request({ port, path: '/livez', agent }, answer => {
        sizeOf(answer).then(() => resolve(), reject)
      })
      asked.once('error', reject)
      asked.end()
    })
    tookMs.push(performance.now() - beganMs)
    await delay(PROBE_EVERY_MS)
  }
  process.send?.(tookMs)
}

function failed(error: unknown): void {
  process.stderr.write(`${error}\n`)
  process.exit(1)
}

process.on('message', (order: ParseLoadOrder | ProbeOrder) => {
  if (order.kind === 'load') load(order).then(result => process.send?.(result), failed)
  else if (order.kind === 'stop') isProbing = false
  else {
    isProbing = true
    tookMs = []
    probe(order.port).catch(failed)
    process.send?.('probing')
  }
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
