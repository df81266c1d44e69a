/** twemproxy (nutcracker) in front of the Redis at its standard port. */
import { PLACE } from '../redis-key.ts'
import type { Middle } from '../rows/forward-row.ts'
import { scratchFile, writeScratch } from './scratch.ts'
import { findTool, freePort, Tool, waitForPort } from './tool.ts'

/** Null where it is not installed. */
export async function startNutcracker(connections: number): Promise<Middle | null> {
  const program = findTool('nutcracker')
  if (program === null) return null
  const port = await freePort()
  const statsPort = await freePort()
  const lines = [
    'bench:',
    `  listen: 127.0.0.1:${port}`,
    '  redis: true',
    '  hash: fnv1a_64',
    '  distribution: ketama',
    `  server_connections: ${connections}`,
    '  servers:',
    `    - ${PLACE.host}:${PLACE.port}:1`,
  ]
  const config = writeScratch('nutcracker.yml', `${lines.join('\n')}\n`)
  const log = scratchFile('nutcracker.log')
  const tool = new Tool(program, ['-c', config, '-o', log, '-s', String(statsPort), '-a', '127.0.0.1'], {
    stdio: 'ignore',
  })
  await waitForPort(port)
  return { port, meters: { pids: [tool.pid] }, close: () => tool.close() }
}
