/**
 * StreamReader against CPython's own: the same random scripts are played on both, and every result, error, count,
 * leftover and pause must be the same. `SOCKPOOL_TEST_SEED` repeats a run. Several separators need Python 3.13.
 */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findPython } from '../support/python.ts'
import { type Played, play, randomFrom, randomScript, type Script } from './stream-script.ts'

const SCRIPTS = 12_000
const PLAYER = fileURLToPath(new URL('differential.py', import.meta.url))
const { SOCKPOOL_TEST_SEED } = process.env

/** What asyncio makes of the scripts, all in one process. */
async function playByPython(program: string, scripts: readonly Script[]): Promise<Played[]> {
  const python = spawn(program, ['-I', PLAYER], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise(resolve => python.once('close', resolve))
  // One that failed says why on stderr.
  python.stdin.on('error', () => 'told by its exit')
  python.stdin.end(`${scripts.map(script => JSON.stringify(script)).join('\n')}\n`)
  const lines = (await text(python.stdout)).trimEnd().split('\n')
  expect(await exited).toBe(0)
  expect(lines).toHaveLength(scripts.length)
  return lines.map(line => JSON.parse(line) as Played)
}

/** What differs, or null. Where asyncio goes astray its records end, and so does the comparison. */
function difference(theirs: Played, ours: Played): string | null {
  for (const [index, expected] of theirs.records.entries()) {
    const actual = ours.records[index]
    if (JSON.stringify(actual) !== JSON.stringify(inOrder(expected)))
      return `step ${index}: asyncio ${JSON.stringify(expected)}, StreamReader ${JSON.stringify(actual)}`
  }
  if (theirs.leftover === null || theirs.leftover === ours.leftover) return null
  return `left over: asyncio ${JSON.stringify(theirs.leftover)}, StreamReader ${JSON.stringify(ours.leftover)}`
}

function inOrder(record: Played['records'][number]): Played['records'][number] {
  return { ...record, settled: record.settled.toSorted(([one], [other]) => one - other) }
}

/** The indices of the scripts that differ, with what differs. */
async function differing(program: string, scripts: readonly Script[]): Promise<Map<number, string>> {
  const theirs = await playByPython(program, scripts)
  const found = new Map<number, string>()
  for (const [index, script] of scripts.entries()) {
    const expected = theirs[index]
    const what = expected ? difference(expected, await play(script)) : 'asyncio did not play it'
    if (what !== null) found.set(index, what)
  }
  return found
}

/** Leaves out one step after another for as long as the script still differs. */
async function shrink(program: string, script: Script): Promise<Script> {
  const shorter = script.steps.map((_, index) => ({ ...script, steps: script.steps.toSpliced(index, 1) }))
  if (shorter.length < 2) return script
  const [first] = (await differing(program, shorter)).keys()
  const next = first === undefined ? undefined : shorter[first]
  return next === undefined ? script : await shrink(program, next)
}

test(`StreamReader is asyncio's in ${SCRIPTS} random scripts`, async ({ skip }) => {
  const { program, minor } = await findPython(0, skip)
  const seed = Number(SOCKPOOL_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))
  const several = minor >= 13
  console.info(`seed ${seed}, Python 3.${minor}, ${several ? 'several separators' : 'one separator'}`)
  const random = randomFrom(seed)
  const scripts = Array.from({ length: SCRIPTS }, () => randomScript(random, several))
  const [first] = await differing(program, scripts)
  if (first === undefined) return
  const script = await shrink(program, scripts[first[0]] as Script)
  const what = (await differing(program, [script])).get(0)
  expect.fail(`seed ${seed}: ${JSON.stringify(script)}\n${what}`)
})
