/** Row `start`: from the start of the process to the first `/readyz`: of the built package, and of an empty Fastify. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Goal } from '../goals.ts'
import { builtCommand } from '../hosting/built-package.ts'
import { writeScratch } from '../hosting/scratch.ts'
import { freePort, Tool } from '../hosting/tool.ts'
import { beginSpending } from '../meters/spent.ts'
import type { Contender, Row } from '../rounds.ts'

const ROOT = new URL('../../../', import.meta.url)
/** Between two looks, which cost little beside a start. */
const LOOK_EVERY_MS = 2

export function startRow(name: string, goals: readonly Goal[]): Row {
  return {
    name,
    what: 'start of the built package to its first /readyz',
    unit: 'starts/s',
    goals,
    roundsMax: 7,
    setUp: async () => {
      const command = builtCommand()
      return {
        contenders: [
          contender('sockpool', port => {
            const config = writeScratch('start.yaml', `listen: 127.0.0.1:${port}\n`)
            return [command, 'serve', '--no-auth', '--config', config]
          }),
          contender('fastify', port => ['-e', emptyService(port)]),
        ],
        close: async () => {},
      }
    },
  }
}

function emptyService(port: number): string {
  return `const app = require('fastify')()
    app.get('/readyz', async () => ({ ready: true }))
    app.listen({ host: '127.0.0.1', port: ${port} })
    process.on('SIGTERM', () => process.exit())`
}

function contender(name: string, parametersFor: (port: number) => readonly string[]): Contender {
  return {
    name,
    run: async () => {
      const port = await freePort()
      const beganMs = performance.now()
      const tool = new Tool(process.execPath, parametersFor(port), { stdio: 'ignore', cwd: ROOT })
      const spending = beginSpending({ pids: [tool.pid] })
      await untilReady(port)
      const ms = performance.now() - beganMs
      const spent = spending(1)
      await tool.close()
      return { rate: 1_000 / ms, ms, ...spent }
    },
  }
}

async function untilReady(port: number): Promise<void> {
  for (let look = 0; look < 10_000; look++) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { connection: 'close' } }).catch(
      () => null,
    )
    if (answer?.status === 200) return
    await delay(LOOK_EVERY_MS)
  }
  throw new Error('the service did not get ready')
}
