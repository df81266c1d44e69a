/** What an operator orders of a target, over HTTP. */
import type { CallBounds } from '../base/call-bounds.ts'
import type { ControlOrder } from '../pool/target/control-order.ts'
import type { ControlResult } from '../pool/target/target-control.ts'
import type { ServiceCall, ServiceCaller } from './service-caller.ts'
import { answerMsOf, beyondService } from './timed-call.ts'
import { jsonOf } from './wire.ts'

/** Errors: those of the order, FORBIDDEN, SERVICE_UNREACHABLE. A wait without a bound goes on beyond the service's own. */
export async function orderCall(
  caller: ServiceCaller,
  target: string,
  order: ControlOrder,
  { signal, timeoutMs: limitMs }: CallBounds,
): Promise<ControlResult> {
  const answer = await beyondService(limitMs, 'WAIT_TIMEOUT', timeoutMs =>
    caller.call({
      ...sayingOf(target, order, timeoutMs),
      repeat: 'always',
      bounds: { signal },
      answerMs: answerMsOf(timeoutMs),
    }),
  )
  return jsonOf<ControlResult>(answer)
}

type Saying = Pick<ServiceCall, 'name' | 'method' | 'path' | 'query' | 'json'>

function sayingOf(target: string, order: ControlOrder, timeoutMs: number | undefined): Saying {
  const path = `/v1/targets/${encodeURIComponent(target)}`
  const verb = (word: string, query: Saying['query'] = {}): Saying => ({
    name: `${order.kind}()`,
    method: 'POST',
    path: `${path}/${word}`,
    query: { ...query, timeoutMs },
  })
  switch (order.kind) {
    case 'pause':
      return verb('pause', order.wait ? { wait: true } : {})
    case 'waitClose':
      return verb('wait-close')
    case 'resume':
    case 'disable':
    case 'enable':
    case 'drain':
    case 'reconnect':
      return verb(order.kind)
    case 'resize':
      return { name: 'resize()', method: 'PATCH', path, json: { pool: order.changes } }
    default:
      return order satisfies never
  }
}
