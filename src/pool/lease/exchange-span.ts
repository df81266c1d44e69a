/** The span of one exchange: its lease hangs below it, or the dial of the connection that it shares. */
import { PoolSpan } from '../../tracing/pool-span.ts'
import type { ExchangeReply } from './exchange.ts'
import type { JudgedExchange } from './exchange-request.ts'

/** Characters of a target's name: what is longer is the name of none. */
const NAME_CHARS_MAX = 64

/** Runs the exchange, within a span where somebody traces. `target`: as spans call it. Errors: those of `run`. */
export function tracedExchange(
  target: string,
  exchange: JudgedExchange,
  run: (exchange: JudgedExchange) => Promise<ExchangeReply>,
): Promise<ExchangeReply> {
  const span = begin(target, exchange)
  if (span === null) return run(exchange)
  return span.over(
    () => run(below(span, exchange)),
    reply => told(exchange, reply),
  )
}

/** As `tracedExchange`, of one that blocks. */
export function tracedExchangeSync(
  target: string,
  exchange: JudgedExchange,
  run: (exchange: JudgedExchange) => ExchangeReply,
): ExchangeReply {
  const span = begin(target, exchange)
  if (span === null) return run(exchange)
  try {
    const reply = run(below(span, exchange))
    span.set(told(exchange, reply))
    span.end(null)
    return reply
  } catch (error) {
    span.fail(error)
    throw error
  }
}

function begin(target: string, { share }: JudgedExchange): PoolSpan | null {
  const span = PoolSpan.begin('sockpool.exchange', share.within, share.origin)
  if (span?.isRecording && target.length <= NAME_CHARS_MAX) span.set({ 'sockpool.target': target })
  return span
}

function below({ within }: PoolSpan, exchange: JudgedExchange): JudgedExchange {
  return { ...exchange, share: { ...exchange.share, within } }
}

function told(
  { write }: JudgedExchange,
  { data, reused }: ExchangeReply,
): Readonly<Record<string, number | boolean>> {
  return {
    'sockpool.reused': reused,
    'sockpool.bytes_written': typeof write === 'string' ? Buffer.byteLength(write) : write.length,
    'sockpool.bytes_read': data.length,
  }
}
