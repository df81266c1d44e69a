import { join } from 'node:path'
import { describe, expect, it, test, vi } from 'vitest'
import { command, serverAt } from '../../support/own-command.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

type Offer = { readonly words: readonly (string | undefined)[]; readonly directive: string | undefined }

/** What is offered behind these words, and how the shell goes on behind it. The library prints by the console. */
async function offered(...typed: string[]): Promise<Offer> {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation(line => void lines.push(String(line)))
  const { code, stdout, stderr } = await command(['complete', '--', ...typed]).finally(() =>
    log.mockRestore(),
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  lines.push(...stdout.split('\n').slice(0, -1))
  return { words: lines.slice(0, -1).map(line => line.split('\t')[0]), directive: lines.at(-1) }
}

describe('complete', () => {
  it('knows every command, and every flag of each', async () => {
    const { stdout } = await command(['help'])
    const names = [...stdout.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(25)
    expect((await offered('')).words).toEqual(expect.arrayContaining(names.filter(name => name !== 'help')))
    for (const name of names.filter(name => name !== 'help' && name !== 'config')) {
      const help = (await command(['help', name])).stdout
      const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag)
      expect((await offered(name, '--')).words).toEqual(
        expect.arrayContaining(flags.filter(flag => flag !== '--help')),
      )
    }
  })
})

describe('complete asks a running service', () => {
  const ANSWERS: Readonly<Record<string, object>> = {
    '/v1/targets': {
      targets: ['cache', 'cache-2', 'db', '$(reboot)', '10.0.0.1:80'].map(name => ({ name })),
    },
    '/v1/connections': { connections: [{ id: 'c1' }, { id: 'c20' }] },
    '/v1/workers': {
      workers: [
        { id: 0, kind: 'io' },
        { id: 7, kind: 'http' },
      ],
    },
  }

  async function service(token = 't'): Promise<string> {
    return await serverAt(({ url = '', headers }, response) => {
      const isKnown = headers.authorization === `Bearer ${token}`
      if (!isKnown) response.statusCode = 401
      response.end(JSON.stringify(isKnown ? ANSWERS[url] : {}))
    })
  }

  const CACHES = ['cache', 'cache-2']

  test.each([
    [['pause', 'c'], CACHES],
    // Neither what a shell would run, nor what it takes for two words.
    [
      ['pause', ''],
      [...CACHES, 'db'],
    ],
    [['wait-close', '--timeout', '3s', 'c'], CACHES],
    [['resize', '--max', '3', 'cache-'], ['cache-2']],
    [['targets', 'c'], CACHES],
    [['connect', 'c'], CACHES],
    [['exchange', '--read', 'line', 'c'], CACHES],
    [['forward', '--listen', 'localhost:0', '--target', 'c'], CACHES],
    [
      ['kill', ''],
      ['c1', 'c20'],
    ],
    [['connection', 'c2'], ['c20']],
    [['drain-worker', ''], ['0']],
    // One name is enough, and what stands behind another flag is no name.
    [['pause', 'cache', ''], []],
    [['drain', '--timeout', ''], []],
    [['pause', 'nothing'], []],
  ])('behind %j', async (typed, words) => {
    const [name = '', ...rest] = typed
    const url = await service()
    // A machine that is busy may not answer in the time that a completion has.
    await expect
      .poll(() => offered(name, '--url', url, '--token=t', ...rest), { timeout: 10_000 })
      .toEqual({ words, directive: ':4' })
  })

  test.each([
    ['that is not there', 'http://127.0.0.1:1'],
    ['that is no address', 'nowhere'],
  ])('and offers nothing of one %s', async (_what, url) => {
    expect((await offered('pause', '--url', url, '')).words).toEqual([])
  })

  test('and offers nothing where it refuses, or does not answer in time', async () => {
    expect((await offered('pause', '--url', await service('other'), '--token', 't', '')).words).toEqual([])
    const silent = await serverAt(() => {})
    const began = performance.now()
    expect((await offered('pause', '--url', silent, '')).words).toEqual([])
    expect(performance.now() - began).toBeLessThan(3_000)
  })
})

describe('complete offers files', () => {
  test('of the folder, where one is meant', async () => {
    const text = 'targets: { cache: { host: 127.0.0.1, port: 1 } }\n'
    const names = ['a.yaml', 'a b', '$(x).yaml', '.hidden']
    const folder = await makeFolder(Object.fromEntries(names.map(name => [name, { text }])))
    const file = join(folder, 'a.yaml')
    for (const typed of [
      ['serve', '--config'],
      ['serve', '-c'],
      ['serve', '--token-file'],
      ['targets', '--ca'],
      ['config', 'validate'],
      ['config', 'print'],
    ])
      expect(await offered(...typed, `${folder}/`)).toEqual({ words: [file], directive: ':4' })
    expect((await offered('serve', '-c', `${folder}/.`)).words).toEqual([`${folder}/.hidden`])
    expect((await offered('serve', '-c', `${folder}/gone/`)).words).toEqual([])
    // Behind a folder no blank: what is in it comes next.
    const above = folder.slice(0, -1)
    expect(await offered('serve', '-c', above)).toEqual({ words: [`${folder}/`], directive: ':6' })
  })

  test('and the targets of a config to what dials by itself', async () => {
    const text = 'targets: { cache: { host: 127.0.0.1, port: 1 }, db: { host: 127.0.0.1, port: 2 } }\n'
    const file = join(await makeFolder({ 'a.yaml': { text } }), 'a.yaml')
    expect((await offered('exchange', '--config', file, '')).words).toEqual(['cache', 'db'])
    expect((await offered('forward', '-c', file, '--target', 'd')).words).toEqual(['db'])
    expect((await offered('exchange', '--config', `${file}.gone`, '')).words).toEqual([])
    expect((await offered('exchange', '')).words).toEqual([])
  })
})
