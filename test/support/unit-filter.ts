/** The filter of system calls and of socket families that a unit of systemd asks for. */
import { runCommand } from './service-process.ts'

export type UnitFilter = {
  readonly calls: readonly string[]
  /** By their numbers. */
  readonly families: readonly number[]
}

/** Linux's own. */
const FAMILIES: Readonly<Record<string, number>> = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 }

/** `analyze`: the program systemd-analyze, which knows what a set of calls holds. */
export async function filterOf(unit: string, analyze: string): Promise<UnitFilter> {
  const { stdout } = await runCommand([analyze, 'syscall-filter', '--no-pager'])
  const sets = setsOf(stdout)
  const calls = new Set(expanded('@default', sets))
  for (const words of valuesOf(unit, 'SystemCallFilter')) {
    const isDenied = words.startsWith('~')
    for (const word of words.replace(/^~/, '').split(' '))
      for (const call of expanded(word, sets)) isDenied ? calls.delete(call) : calls.add(call)
  }
  const families = valuesOf(unit, 'RestrictAddressFamilies').flatMap(words => words.split(' '))
  return {
    calls: [...calls],
    families: families.map(name => FAMILIES[name] ?? fail(`no number is known of ${name}`)),
  }
}

function valuesOf(unit: string, key: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.+)$`, 'gm'))].map(([, value = '']) => value)
}

/** A set is its name, and its members in lines that are indented; what begins with # is a comment. */
function setsOf(listing: string): ReadonlyMap<string, readonly string[]> {
  const parts = listing.split(/^(?=@)/m).map(part => part.split('\n').map(line => line.trim()))
  return new Map(
    parts.map(([name = '', ...members]) => [name, members.filter(member => /^[@\w]/.test(member))]),
  )
}

function expanded(name: string, sets: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (!name.startsWith('@')) return [name]
  const members = sets.get(name) ?? fail(`systemd has no set ${name}`)
  return members.flatMap(member => expanded(member, sets))
}

function fail(message: string): never {
  throw new Error(message)
}
