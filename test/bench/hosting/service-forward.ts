/** The service with one forward, whose port is known before. */
import type { Middle } from '../rows/forward-row.ts'
import { startService } from './service.ts'
import { freePort, waitForPort } from './tool.ts'

export async function startForward(
  target: Readonly<Record<string, unknown>>,
  mode: 'session' | 'message',
): Promise<Middle> {
  const port = await freePort()
  const service = await startService({
    targets: { far: target },
    forwards: [{ listen: `127.0.0.1:${port}`, target: 'far', mode }],
  })
  await waitForPort(port)
  return { port, meters: service.meters, close: service.close }
}
