/** HAProxy in TCP mode in front of one port. */
import type { Middle } from '../rows/forward-row.ts'
import { writeScratch } from './scratch.ts'
import { findTool, freePort, Tool, waitForPort } from './tool.ts'

/** Null where it is not installed. One thread, as a forward of ours has. */
export async function startHaproxy(target: number): Promise<Middle | null> {
  const program = findTool('haproxy')
  if (program === null) return null
  const port = await freePort()
  const lines = [
    'global',
    '  nbthread 1',
    '  maxconn 1000',
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 1m',
    '  timeout server 1m',
    'listen bench',
    `  bind 127.0.0.1:${port}`,
    `  server far 127.0.0.1:${target}`,
  ]
  const tool = new Tool(
    program,
    ['-db', '-f', writeScratch(`haproxy-${port}.cfg`, `${lines.join('\n')}\n`)],
    {
      stdio: 'ignore',
    },
  )
  await waitForPort(port)
  return { port, meters: { pids: [tool.pid] }, close: () => tool.close() }
}
