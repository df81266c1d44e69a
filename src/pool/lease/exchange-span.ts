/** The span of one exchange: its lease hangs below it, or the dial of the connection that it shares. */
import { callerParent } from '../../tracing/caller-trace.ts'
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
  const { share, write } = exchange
  const span = PoolSpan.begin('sockpool.exchange', () => share.within ?? callerParent(share.origin))
  if (span === null) return run(exchange)
  if (span.isRecording && target.length <= NAME_CHARS_MAX) span.set({ 'sockpool.target': target })
  return span.over(
    () => run({ ...exchange, share: { ...share, within: span.within } }),
    ({ data, reused }) => ({
      'sockpool.reused': reused,
      'sockpool.bytes_written': typeof write === 'string' ? Buffer.byteLength(write) : write.length,
      'sockpool.bytes_read': data.length,
    }),
  )
}
