/** Completion runs in a process of its own: the shells call it as one, and its words go to the real stdout. */
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CLI, runCommand, startServiceProcess } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'

const sockpool = (...args: string[]) => runCommand([process.execPath, CLI, ...args])

async function words(...typed: string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await sockpool('complete', '--', ...typed)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.split('\n').map(line => line.split('\t')[0] ?? '')
}

describe('sockpool completion', () => {
  test.each([
    ['bash', 'complete -F __sockpool_complete sockpool'],
    ['zsh', '#compdef sockpool'],
    ['fish', 'complete -c sockpool'],
    ['powershell', 'Register-ArgumentCompleter -CommandName'],
  ])('prints a script for %s that asks the command itself', async (shell, mark) => {
    const { code, stdout, stderr } = await sockpool('completion', shell)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/sockpool complete '?--/)
    expect(stdout).toContain(mark)
    if (shell !== 'bash') return
    const parsed = await runCommand(['bash', '-n'], { stdin: stdout })
    expect(parsed).toMatchObject({ code: 0, stderr: '' })
  })

  test('knows the commands, their flags and the values of those', async () => {
    expect(await words('')).toEqual(
      expect.arrayContaining(['serve', 'config', 'exchange', 'healthcheck', 'completion']),
    )
    expect(await words('config', '')).toEqual(expect.arrayContaining(['validate', 'print']))
    expect(await words('serve', '--')).toEqual(
      expect.arrayContaining(['--config', '--listen', '--allow', '--token-file', '--no-auth', '--log-level']),
    )
    const tls = ['--url', '--ca', '--cert', '--key']
    expect(await words('exchange', '--')).toEqual(expect.arrayContaining([...tls, '--token', '--read']))
    expect(await words('healthcheck', '--')).toEqual(expect.arrayContaining(tls))
    expect(await words('serve', '--log-level', '')).toEqual(expect.arrayContaining(['info', 'silent']))
  })

  test.each([[[]], [['tcsh']]])('answers %j with exit code 2', async args => {
    const { code, stdout, stderr } = await sockpool('completion', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
  })
})

/** The words that are offered behind these. */
async function offered(typed: readonly string[], env: Readonly<Record<string, string>>, cwd?: string) {
  const args = ['complete', '--', ...typed]
  const run = await runCommand([process.execPath, CLI, ...args], { env, ...(cwd !== undefined && { cwd }) })
  expect(run).toMatchObject({ code: 0, stderr: '' })
  const lines = run.stdout.trimEnd().split('\n')
  return { words: lines.slice(0, -1).map(line => line.split('\t')[0]), directive: lines.at(-1) }
}

/** A service that answers each request so; null: never. */
async function answering(answer: object | null): Promise<string> {
  const server = createServer((_request, response) => {
    if (answer !== null) response.end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('completion of what only a running service knows', () => {
  test('offers its targets, connections and workers', async () => {
    const service = await startServiceProcess({ args: ['--demo'] })
    onTestFinished(() => service.stop())
    const { id } = (await service.api.lease('demo')).view.connection
    const env = { SOCKPOOL_URL: service.url, SOCKPOOL_TOKEN: service.token ?? '' }
    const both = { words: ['demo', 'demo-tls'], directive: ':4' }
    expect(await offered(['pause', ''], env)).toEqual(both)
    expect(await offered(['pause', `--url=${service.url}`, 'demo-'], { ...env, SOCKPOOL_URL: '' })).toEqual({
      ...both,
      words: ['demo-tls'],
    })
    expect(await offered(['resize', '--max', '3', 'd'], env)).toEqual(both)
    expect(await offered(['forward', '--listen', 'localhost:0', '--target', ''], env)).toEqual(both)
    expect(await offered(['exchange', ''], env)).toEqual(both)
    expect((await offered(['kill', ''], env)).words).toEqual([id])
    expect((await offered(['drain-worker', ''], env)).words).toContain('0')
    // One target is enough.
    expect((await offered(['pause', 'demo', ''], env)).words).toEqual([])
    expect((await offered(['pause', ''], { ...env, SOCKPOOL_TOKEN: 'no-such' })).words).toEqual([])
  })

  test('offers nothing where no service answers, and does not wait for it', async () => {
    expect((await offered(['pause', ''], { SOCKPOOL_URL: 'http://127.0.0.1:1' })).words).toEqual([])
    const began = performance.now()
    expect((await offered(['pause', ''], { SOCKPOOL_URL: await answering(null) })).words).toEqual([])
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  test('never has a shell run what answers there', async () => {
    const folder = await makeFolder()
    const names = ['$(touch pwned)', '`touch pwned`', 'a;touch pwned', 'a b', '\u001b[2J', '-rf', 'fine']
    const url = await answering({ targets: names.map(name => ({ name, state: '$(touch pwned)\n:0' })) })
    const { stdout: script } = await sockpool('completion', 'bash')
    // What bash-completion brings; the words are as if they had been typed.
    const session = `
      _get_comp_words_by_ref() { words=(sockpool pause ''); cur=''; cword=2; prev=pause; }
      sockpool() { '${process.execPath}' '${CLI}' "$@"; }
      ${script}
      __sockpool_complete
      printf '%s\\n' "\${COMPREPLY[@]}"`
    const shell = ['bash', '--norc', '-c', session]
    expect(await runCommand(shell, { cwd: folder, env: { SOCKPOOL_URL: url } })).toEqual({
      code: 0,
      stdout: 'fine\n',
      stderr: '',
    })
    await expect(access(join(folder, 'pwned'))).rejects.toThrow('ENOENT')
  })
})

describe('completion of files', () => {
  test('offers those of the folder, and the targets of a config', async () => {
    const text = 'targets: { cache: { host: 127.0.0.1, port: 1 } }\n'
    const folder = await makeFolder({
      'a.yaml': { text },
      'a b': { text },
      '$(x).yaml': { text },
      '.b': { text },
    })
    expect(await offered(['serve', '--config', ''], {}, folder)).toEqual({
      words: ['a.yaml'],
      directive: ':4',
    })
    expect((await offered(['config', 'validate', 'a'], {}, folder)).words).toEqual(['a.yaml'])
    expect((await offered(['serve', '-c', '.'], {}, folder)).words).toEqual(['.b'])
    const above = folder.slice(0, -1)
    expect(await offered(['serve', '--token-file', above], {})).toEqual({
      words: [`${folder}/`],
      directive: ':6',
    })
    expect((await offered(['exchange', '--config', 'a.yaml', ''], {}, folder)).words).toEqual(['cache'])
    expect((await offered(['exchange', '--config', 'gone.yaml', ''], {}, folder)).words).toEqual([])
  })
})
