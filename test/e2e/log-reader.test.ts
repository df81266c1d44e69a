/** Whoever reads the service's output may be slow, away or out of room: the service and its leases go on. */
import { spawn } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeFifo } from '../support/fifo.ts'
import {
  CLI,
  ROOT,
  runCommand,
  type ServiceProcess,
  startServiceProcess,
} from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { startUpstream } from '../support/upstream.ts'

// A key that nothing acts on is warned of at the start, so there is a line before the first request.
const warned = {
  http: { accessLog: 'all' },
  targets: { script: { host: '127.0.0.1', port: 1, probe: [{ send: 'PING' }] } },
}

async function start(options: Parameters<typeof startServiceProcess>[0]): Promise<ServiceProcess> {
  const service = await startServiceProcess(options)
  onTestFinished(() => service.stop())
  return service
}

function openFor(path: string, flags: number | string): number {
  const descriptor = openSync(path, flags)
  onTestFinished(() => closeSync(descriptor))
  return descriptor
}

describe('serve', () => {
  test('keeps its leases when the reader of stdout and stderr goes away', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const service = await start({ config: { targets: { script: { host, port } } } })
    const lease = await service.api.lease('script')
    const peer = await upstream.next()
    service.leaveOutputs()
    for (let round = 0; round < 5; round++) expect((await service.api.get('/v1/stats')).status).toBe(200)
    await peer.send('still here\n')
    expect((await lease.call('readline')).text).toBe('still here\n')
  })

  test('starts, serves and ends on a full disk', async () => {
    const service = await start({ config: warned, logTo: openFor('/dev/full', 'w') })
    for (let round = 0; round < 5; round++) expect((await service.api.get('/v1/stats')).status).toBe(200)
  })

  test('serves while nobody reads stderr, and loses no line that it has room for', async () => {
    const { path } = await makeFifo()
    const reader = openFor(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = openFor(path, constants.O_WRONLY | constants.O_NONBLOCK)
    expect(() => {
      for (;;) writeSync(writer, Buffer.alloc(4_096))
    }).toThrow('EAGAIN')
    const service = await start({ config: warned, logTo: openFor(path, 'w') })
    const startedMs = performance.now()
    for (let round = 0; round < 5; round++) expect((await service.api.get('/v1/stats')).status).toBe(200)
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    const read = Buffer.alloc(1_048_576)
    let text = ''
    await expect
      .poll(() => {
        try {
          text += read.subarray(0, readSync(reader, read)).toString()
        } catch {
          // Nothing there at the moment.
        }
        return text
          .replaceAll('\0', '')
          .split('\n')
          .filter(line => line.includes('/v1/stats')).length
      })
      .toBe(5)
    for (const line of text.replaceAll('\0', '').split('\n').slice(0, -1)) JSON.parse(line)
  })

  test('ends in time though nobody reads stderr', async () => {
    const { path } = await makeFifo()
    openFor(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = openFor(path, constants.O_WRONLY | constants.O_NONBLOCK)
    const service = await start({ logTo: openFor(path, 'w') })
    expect(() => {
      for (;;) writeSync(writer, Buffer.alloc(4_096))
    }).toThrow('EAGAIN')
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
  })

  test('says by a JSON line how many were dropped while the reader was away', async () => {
    const { path } = await makeFifo()
    const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const service = await start({
      logTo: openFor(path, 'w'),
      env: { SOCKPOOL_HTTP_ACCESS_LOG: 'all' },
    })
    closeSync(first)
    for (let round = 0; round < 3; round++) await service.api.get('/v1/stats')
    const second = openFor(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const read = Buffer.alloc(65_536)
    let text = ''
    await expect
      .poll(async () => {
        await service.api.get('/v1/stats')
        try {
          text += read.subarray(0, readSync(second, read)).toString()
        } catch {
          // Nothing there at the moment.
        }
        return text
      })
      .toContain('log lines were dropped')
    const line = text.split('\n').find(found => found.includes('log lines were dropped')) ?? ''
    expect(JSON.parse(line)).toMatchObject({ level: 40, lines: expect.any(Number) })
    // A request's line follows its answer, so the last one may have found the reader back.
    expect(JSON.parse(line).lines).toBeGreaterThanOrEqual(2)
  })

  test('serves though its address cannot be printed', async () => {
    const path = join(await makeFolder(), 'run', 'api.sock')
    const full = openFor('/dev/full', 'w')
    const child = spawn(process.execPath, [CLI, 'serve', '--no-auth', '--listen', `unix:${path}`], {
      cwd: ROOT,
      stdio: ['ignore', full, 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    await expect.poll(() => stderr, { timeout: 20_000 }).toContain('it serves all the same')
    const probe = await runCommand([process.execPath, CLI, 'healthcheck', '--url', `unix:${path}`])
    expect(probe).toMatchObject({ code: 0, stderr: '' })
    for (const line of stderr.split('\n').slice(0, -1)) JSON.parse(line)
  })
})

describe('a command whose reader has gone', () => {
  /** The command's own exit code, and what it said on stderr. */
  async function piped(command: string): Promise<{ code: string; stderr: string }> {
    const node = JSON.stringify(process.execPath)
    const script = `{ ${node} ${JSON.stringify(CLI)} ${command}; echo "code $?" >&3; } 3>&1 >&4 4>&- | { cat; }`
    const { stdout, stderr } = await runCommand(['bash', '-c', `exec 4> >(true); sleep 0.2; ${script}`])
    return { code: /code (\d+)/.exec(stdout)?.[1] ?? '', stderr }
  }

  test.each(['--help', 'completion bash', 'demo'])('%s ends quietly', async command => {
    const { code, stderr } = await piped(command)
    expect(stderr).toBe('')
    expect(['0', '141']).toContain(code)
  })

  test('exchange ends quietly', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const answering = upstream.next().then(peer => peer.send(`${'x'.repeat(1_000_000)}\n`))
    const place = `${upstream.host}:${upstream.port}`
    const read = '--read exactly:1000001'
    const { code, stderr } = await piped(`exchange ${place} ${read} < /dev/null`)
    await answering
    expect(stderr).toBe('')
    expect(['0', '141']).toContain(code)
  })

  test('a full disk behind stdout is a failure with its reason', async () => {
    const line = `${JSON.stringify(process.execPath)} ${JSON.stringify(CLI)} config print > /dev/full`
    const { code, stderr } = await runCommand(['sh', '-c', line])
    expect(code).toBe(1)
    expect(stderr).toContain('cannot write the output: ENOSPC')
  })
})
