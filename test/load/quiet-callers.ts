/**
 * Fifty callers who ask for little and want it soon, in a process of their own: each sends a line of its own by
 * `POST /v1/exchange`, takes the answer, and pauses. The answer must be that line.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** What this process is asked: calls for so long. Its answer is what came of them. */
export type QuietOrder = {
  readonly port: number
  readonly token: string
  readonly target: string
  readonly callers: number
  readonly forMs: number
}
export type QuietResult = {
  /** Milliseconds of each call, in no order. */
  readonly tookMs: readonly number[]
  /** Answers that were not the caller's own line, with their status. */
  readonly wrong: readonly string[]
}

/** Milliseconds from one call of a caller to its next, the mean. */
const PAUSE_MS = 50

async function callers(order: QuietOrder): Promise<QuietResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: order.callers })
  const untilMs = performance.now() + order.forMs
  const tookMs: number[] = []
  const wrong: string[] = []
  const caller = async (number: number): Promise<void> => {
    for (let turn = 0; performance.now() < untilMs; turn++) {
      await sleep(PAUSE_MS * 2 * Math.random())
      const line = `${number}/${turn}\n`
      const startedMs = performance.now()
      const { status, text } = await exchange(order, agent, line)
      tookMs.push(performance.now() - startedMs)
      if (status !== 200 || text !== line) wrong.push(`${status} ${text.slice(0, 200)}`)
    }
  }
  await Promise.all(Array.from({ length: order.callers }, (_, number) => caller(number)))
  agent.destroy()
  return { tookMs, wrong }
}

function exchange(
  { port, token, target }: QuietOrder,
  agent: Agent,
  line: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise(resolve => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' }
    const path = `/v1/exchange?target=${target}&read=line`
    const sent = request({ port, host: '127.0.0.1', path, method: 'POST', agent, headers }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('close', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    sent.once('error', error => resolve({ status: 0, text: error.message }))
    sent.end(line)
  })
}

process.on('message', (order: QuietOrder) => {
  void callers(order).then(result => process.send?.(result))
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
