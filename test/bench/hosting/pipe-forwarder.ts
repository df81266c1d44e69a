/** The forwarder of two `pipe` calls on `net` sockets (rivals/pipe-forwarder.ts). */
import type { Middle } from '../rows/forward-row.ts'
import { startRivalService } from './service.ts'

export async function startPipe(target: number): Promise<Middle> {
  return startRivalService('rivals/pipe-forwarder.ts', { port: target })
}
