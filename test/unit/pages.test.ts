/** The pages for users agree with the sources: what is made of them is up to date, and nothing is left out. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { SockpoolError } from '../../src/base/errors.ts'
import { builtInFrame } from '../../src/frames/frames.ts'
import { FORMAT_NAMES, findFormat } from '../../src/parse/formats/registry.ts'
import { RequestJudge } from '../../src/pool/multiplex/shared-call.ts'
import { thrown } from '../fixtures/thrown.ts'
import { GENERATED, GENERATED_FILES } from '../support/generated-sections.ts'
import { librarySurface } from '../support/library-surface.ts'
import { blocksOf, programsOf, sessionOf } from '../support/page-blocks.ts'
import {
  pagePaths,
  README_LINES_MAX,
  readPage,
  recipePaths,
  sectionOf,
  withSection,
} from '../support/pages.ts'

/** What a format finds wrong with options. */
function faultsOf(format: string, options: object): readonly string[] {
  const { errors = [] } = thrown(() => findFormat(format).configure(options)) as SockpoolError
  return errors.map(({ message }) => message)
}

const ROOT = join(import.meta.dirname, '..', '..')

describe('the generated sections', () => {
  test.for(GENERATED)('$page has the present $name: npm run docs', async ({ page, name, make }) => {
    expect(sectionOf(readPage(page), name)).toBe(await make())
  })

  test.for(GENERATED_FILES)('$file is the present one: npm run docs', ({ file, make }) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toBe(make())
  })

  test('are found and replaced by their names', () => {
    const page = 'a\n<!-- x -->\nold\n<!-- /x -->\nb\n'
    expect(sectionOf(page, 'x')).toBe('old')
    expect(sectionOf(page, 'y')).toBeNull()
    expect(withSection(page, 'x', 'new')).toBe('a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n')
    expect(withSection(page, 'y', 'new')).toBe(page)
  })
})

describe('the README', () => {
  test('is short enough to be read whole', () => {
    expect(readPage('README.md').split('\n').length - 1).toBeLessThanOrEqual(README_LINES_MAX)
  })

  test('names the two commands of a checkout, and how to install the package', () => {
    const commands = blocksOf(readPage('README.md')).filter(({ language }) => language === 'sh')
    expect(commands.map(({ text }) => text)).toEqual(['npm i sockpool\n', 'npm ci\nnpm test\n'])
  })

  test('leads to every page', () => {
    const readme = readPage('README.md')
    for (const path of pagePaths().filter(name => name !== 'README.md')) expect(readme).toContain(`(${path})`)
  })
})

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

describe('the links of the pages', () => {
  test.for([...pagePaths(), ...recipePaths()])('of %s lead somewhere', path => {
    const links = [...readPage(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    for (const link of links.filter(name => !/^https?:/.test(name))) {
      const [file = '', anchor] = link.split('#')
      const place = file === '' ? path : join(dirname(path), file)
      expect.soft(existsSync(join(ROOT, place)), link).toBe(true)
      if (anchor !== undefined) expect.soft(anchorsOf(readPage(place)), link).toContain(anchor)
    }
  })
})

describe('docs/library.md', () => {
  const page = readPage('docs/library.md')
  const surface = librarySurface()

  /** Names and members that stand as code in the section of that name; in the whole page where it has none. */
  const namesIn = (heading: string): ReadonlySet<string> => {
    const [, section = page] = new RegExp(`^## ${heading}\n(.*?)(?=^## )`, 'ms').exec(page) ?? []
    const code = [...section.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text)
    return new Set(code.flatMap(text => text.match(/\[[\w.]+\]|\w+/g) ?? []))
  }

  test('names everything that the library exports', () => {
    expect(surface.length).toBeGreaterThan(50)
    const words = new Set(page.match(/\w+/g))
    expect(surface.map(({ name }) => name).filter(name => !words.has(name))).toEqual([])
  })

  test.for(surface.filter(({ name, members }) => members.length > 0 && name !== 'PoolHandle'))(
    'has every member of $name',
    ({ name, members }) => {
      const named = namesIn(name)
      expect(members.filter(member => !named.has(member))).toEqual([])
    },
  )

  test('has rows of what is there alone', () => {
    const known = new Set(surface.flatMap(({ name, members }) => [name, ...members]))
    const cells = [...page.matchAll(/^\| (`.*?) \|/gm)].flatMap(
      ([, first = '']) => first.match(/`[^`]+`/g) ?? [],
    )
    const rows = cells.map(code => /\[[\w.]+\]|\w+/.exec(code)?.[0] ?? code)
    expect(rows.length).toBeGreaterThan(150)
    expect(rows.filter(row => !known.has(row))).toEqual([])
  })

  test('is held against the members of classes, symbols of the language included', () => {
    const members = surface.find(({ name }) => name === 'Lease')?.members ?? []
    expect(members).toEqual(expect.arrayContaining(['reader', 'release', '[Symbol.asyncDispose]']))
    expect(members.filter(member => member.startsWith('#') || member.startsWith('_'))).toEqual([])
  })
})

describe('docs/formats.md', () => {
  test('has a row and a section for each format, in their order', () => {
    const page = readPage('docs/formats.md')
    expect([...page.matchAll(/^## (.+)$/gm)].map(([, name]) => name)).toEqual(FORMAT_NAMES)
    expect([...page.matchAll(/^\| \[`([\w-]+)`\]\(#/gm)].map(([, name]) => name)).toEqual(FORMAT_NAMES)
  })

  test('names no option that its format does not take', () => {
    const known: Readonly<Record<string, string>> = {
      header: 'csv',
      texts: 'json',
      shape: 'xml',
      method: 'http1',
    }
    for (const [option, format] of Object.entries(known)) {
      const [, section = ''] = readPage('docs/formats.md').split(`\n## ${format}\n`)
      const options = [
        ...(section.split('\n## ')[0]?.split('| field of')[0] ?? '').matchAll(/^\| `(\w+)` \|/gm),
      ]
      expect(options.map(([, name]) => name)).toContain(option)
      // A value that is no option's makes each of them say that it is wrong; an unknown one says so by itself.
      for (const [, name = ''] of options)
        expect(faultsOf(format, { [name]: 5 })).toEqual([expect.not.stringContaining('is not an option')])
    }
  })
})

describe('docs/multiplexing.md', () => {
  const denied = (frame: string): readonly string[] => {
    const [, listed = ''] =
      new RegExp(`^ {2}- \`${frame}\`: (.*)$`, 'm').exec(readPage('docs/multiplexing.md')) ?? []
    return listed.split(';')[0]?.match(frame === 'resp' ? /\b[A-Z]{4,}\b/g : /`\w{4,}`/g) ?? []
  }

  test('names commands of Redis that a shared connection refuses', () => {
    const judge = new RequestJudge(builtInFrame('resp'))
    // What these two come with decides, and not their name.
    const names = denied('resp').filter(name => !/^(XREAD|XREADGROUP|BLOCK|SCRIPT)$/.test(name))
    expect(names.length).toBeGreaterThan(25)
    for (const name of names)
      expect(() => judge.judge(Buffer.from(`${name}\r\n`)), name).toThrow(`${name} needs a connection`)
    for (const words of [
      'XREAD BLOCK 0 STREAMS a 0',
      'XREADGROUP GROUP a b BLOCK 0 STREAMS a 0',
      'SCRIPT DEBUG no',
    ])
      expect(() => judge.judge(Buffer.from(`${words}\r\n`)), words).toThrow('needs a connection')
  })

  test('names commands of memcached that a shared connection refuses', () => {
    const judge = new RequestJudge(builtInFrame('memcached'))
    const names = denied('memcached').map(name => name.replaceAll('`', ''))
    expect(names).toEqual(expect.arrayContaining(['quit', 'noreply', 'shutdown']))
    for (const name of names) {
      const request = name === 'noreply' ? 'delete a noreply' : name
      expect(() => judge.judge(Buffer.from(`${request}\r\n`)), name).toThrow('needs a connection')
    }
  })
})

describe('docs/performance.md', () => {
  test('has the rows that the bench measures', () => {
    const bench = readFileSync(join(ROOT, 'test', 'bench', 'run.ts'), 'utf8')
    const measured = [...bench.matchAll(/\b\w+Row\('([\w-]+)'/g)].map(([, name]) => name)
    const shown = [...readPage('docs/performance.md').matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name)
    expect(measured.length).toBeGreaterThan(3)
    expect(shown).toEqual(measured)
  })
})

describe('the blocks of a page', () => {
  const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\`\`\`\n`

  test('make programs of what stands before an output', () => {
    const page = fence('ts', '// a.ts\n1\n') + fence('ts', '2\n') + fence('ts', '3\n') + fence('text', '5\n')
    expect(programsOf(blocksOf(page))).toEqual([
      { files: { 'a.ts': '// a.ts\n1\n', 'program.ts': '2\n3\n' }, prints: '5\n', line: 11 },
    ])
  })

  test('that would go unplayed are refused', () => {
    expect(() => programsOf(blocksOf(fence('ts', '1\n')))).toThrow('no text block')
    expect(() => programsOf(blocksOf(fence('text', '1\n')))).toThrow('what prints this')
    expect(() => blocksOf(fence('console', 'x\n')).map(sessionOf)).toThrow('begins with a command')
  })

  test('are sessions of commands with what they print', () => {
    const session = blocksOf(fence('console', '$ a\n1\n2\n$ b \\\n  c\n3\n$ d\n')).flatMap(sessionOf)
    expect(session).toEqual([
      { command: 'a', prints: '1\n2' },
      { command: 'b \\\n  c', prints: '3' },
      { command: 'd', prints: '' },
    ])
  })
})
