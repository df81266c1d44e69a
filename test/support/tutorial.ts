/** The lines of asyncio beside those of sockpool in docs/asyncio.md, as a table of calls and as pairs of blocks. */

/** One call of the table; `gives` is the JSON of what it assigns to `assigns`, null where it assigns nothing. */
export type Call = {
  readonly topic: string
  readonly python: string
  readonly ts: string
  readonly result: { readonly name: string; readonly gives: unknown } | null
}

export type Program = { readonly topic: string; readonly python: string; readonly ts: string }

export type Tutorial = { readonly calls: readonly Call[]; readonly programs: readonly Program[] }

const ROW = /^\| ([\w ]+) \| `([^`|]+)` \| `([^`|]+)` \| (?:`([^`|]+)` )?\|$/
const PAIR = /^\*\*([\w ]+)\*\*.*\n\n```python\n([\s\S]*?)\n```\n\n```ts\n([\s\S]*?)\n```$/gm
const TABLE_HEAD = ['| call | asyncio | sockpool | gives |', '|---|---|---|---|']

/** Throws where a row or a block stands there that is none of the tutorial's: nothing goes unplayed. */
export function readTutorial(page: string): Tutorial {
  const [head, rule, ...rows] = page.split('\n').filter(line => line.startsWith('|'))
  if (head !== TABLE_HEAD[0] || rule !== TABLE_HEAD[1]) throw new Error(`no table of calls: ${head}`)
  const programs = [...page.matchAll(PAIR)].map(
    ([, topic = '', python = '', ts = '']): Program => ({ topic, python, ts }),
  )
  const fences = page.split('\n').filter(line => line.startsWith('```')).length
  if (fences !== 4 * programs.length)
    throw new Error(`${fences} fences, but ${programs.length} pairs of a Python block and its ts block`)
  return { calls: rows.map(readRow), programs }
}

function readRow(row: string): Call {
  const [, topic = '', python = '', ts = '', gives] = ROW.exec(row) ?? []
  if (topic === '') throw new Error(`no row of the tutorial: ${row}`)
  const theirs = /^(\w+) = /.exec(python)?.[1]
  const ours = /^const (\w+) = /.exec(ts)?.[1]
  if (theirs !== ours || (ours === undefined) !== (gives === undefined))
    throw new Error(`both sides must assign to one name, and say what it gives: ${row}`)
  const result = ours === undefined || gives === undefined ? null : { name: ours, gives: JSON.parse(gives) }
  return { topic, python, ts, result }
}

/** All calls as one program that reports what each gives. */
export function programOf(calls: readonly Call[], language: 'python' | 'ts'): string {
  return calls
    .flatMap(call => [call[language], ...(call.result ? [`report(${call.result.name})`] : [])])
    .join('\n')
}
