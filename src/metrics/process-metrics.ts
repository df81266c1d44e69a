/**
 * The process's own metrics, as every Node.js program that is scraped exports them. What gathers them has no end: it is
 * begun once in a process, however many services run in it.
 */
import { collectDefaultMetrics, Registry } from '@prometheus-io/client'

let registry: Registry | null = null

export function processMetrics(): Registry {
  if (registry === null) {
    registry = new Registry()
    collectDefaultMetrics({ register: registry })
  }
  return registry
}
