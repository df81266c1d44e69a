/** How the service ends, and what signals do to it: those that mean something, those that do not, native faults. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Api } from '../support/api.ts'
import {
  CLI,
  ROOT,
  type ServiceProcess,
  servedBy,
  startServiceProcess,
  within,
} from '../support/service-process.ts'

async function start(options: Parameters<typeof startServiceProcess>[0] = {}): Promise<ServiceProcess> {
  const service = await startServiceProcess(options)
  onTestFinished(() => service.stop())
  return service
}

type LogLine = { readonly signal?: string; readonly msg?: string }

/** The lines of the log so far. */
function logOf(service: ServiceProcess): LogLine[] {
  return service
    .stderr()
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}

describe('serve', () => {
  test.each(['SIGILL', 'SIGBUS', 'SIGFPE', 'SIGTRAP', 'SIGSEGV'] as const)(
    'ends at once of %s, as a native fault ends any program',
    async signal => {
      const service = await startServiceProcess()
      onTestFinished(() => service.stop().catch(() => {}))
      service.signal(signal)
      expect(await within(10_000, service.exited, 'the service did not end')).toBe(signal)
    },
  )

  test('logs and ignores SIGUSR1 and SIGUSR2, and opens no debugger', async () => {
    const service = await start()
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      service.signal(signal)
      await expect.poll(() => logOf(service).map(line => line.signal)).toContain(signal)
    }
    expect((await service.api.get('/livez')).status).toBe(200)
    // What the process listens on, as the system says it: the debugger would be one more.
    // Each thread that serves HTTP has a socket of its own on the one port.
    expect(await listenersOf(service.pid)).toBe(Number(servedBy()['SOCKPOOL_HTTP_THREADS'] ?? 1))
  })

  test('says at the first SIGINT what it waits for, and stops at once at the second', async () => {
    const service = await startServiceProcess({ args: ['--demo'], config: {} })
    onTestFinished(() => service.stop().catch(() => {}))
    await service.api.lease('demo')
    service.signal('SIGINT')
    await expect
      .poll(() => logOf(service).find(line => line.signal === 'SIGINT')?.msg)
      .toMatch(/1 held lease.*at once/)
    const secondMs = performance.now()
    service.signal('SIGINT')
    expect(await within(10_000, service.exited, 'the service did not end')).toBe(1)
    expect(performance.now() - secondMs).toBeLessThan(1_500)
  })

  test('waits 2 s at most for leases of a demo', async () => {
    const service = await startServiceProcess({
      args: ['--demo'],
      config: { limits: { drainTimeout: '30s' } },
    })
    onTestFinished(() => service.stop())
    await service.api.lease('demo')
    const startedMs = performance.now()
    service.signal('SIGINT')
    expect(await service.exited).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(5_000)
  })

  test('writes a warning of the process as a JSON line', async () => {
    const preload = 'data:text/javascript,setInterval(()=>process.emitWarning("planted"),20).unref()'
    const service = await start({ entry: ['--import', preload, CLI] })
    await expect
      .poll(() => logOf(service).find(line => line.msg === 'planted'))
      .toMatchObject({ level: 40, warning: 'Warning' })
  })
})

describe('npm start', () => {
  type Started = { readonly npm: ChildProcess; readonly url: string; readonly api: Api }

  async function npmStart(): Promise<Started> {
    // A group of its own, as a terminal has one; npm from wherever the tests were started.
    const npm = spawn('npm', ['start'], {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SOCKPOOL_LISTEN: '127.0.0.1:0' },
    })
    onTestFinished(() => {
      try {
        process.kill(-(npm.pid ?? 0), 'SIGKILL')
      } catch {
        // The whole group has ended.
      }
    })
    let printed = ''
    npm.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    await expect.poll(() => printed, { timeout: 30_000 }).toMatch(/token: \S+\n/)
    const url = /listening on (\S+)/.exec(printed)?.[1] ?? ''
    return { npm, url, api: new Api(url, /token: (\S+)/.exec(printed)?.[1] ?? null) }
  }

  /** Resolves when nobody accepts there any more. */
  async function gone(url: string): Promise<void> {
    const { port } = new URL(url)
    const refused = async (): Promise<boolean> => {
      const socket = connect(Number(port), '127.0.0.1')
      try {
        await once(socket, 'connect')
        return false
      } catch {
        return true
      } finally {
        socket.destroy()
      }
    }
    await expect.poll(refused, { timeout: 8_000 }).toBe(true)
  }

  test.each([
    ['SIGTERM', 'npm', 'no lease'],
    ['SIGINT', 'npm', 'no lease'],
    ['SIGKILL', 'npm', 'no lease'],
    ['SIGINT', 'group', 'a lease'],
  ] as const)('stops its service on %s to the %s with %s held', async (signal, whom, held) => {
    const { npm, url, api } = await npmStart()
    if (held === 'a lease') await api.lease('demo')
    const startedMs = performance.now()
    process.kill(whom === 'npm' ? (npm.pid ?? 0) : -(npm.pid ?? 0), signal)
    await gone(url)
    expect(performance.now() - startedMs).toBeLessThan(6_000)
  })
})

/** The TCP sockets of the process that listen. */
async function listenersOf(pid: number): Promise<number> {
  const { readdir, readlink } = await import('node:fs/promises')
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map(name => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')),
  )
  const own = new Set(links.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map(line => line.trim().split(/\s+/))
  return rows.filter(row => row[3] === '0A' && own.has(row[9] ?? '')).length
}
