/** A row's figures as text. */
import { type Finding, findingsOf } from './goals.ts'
import { middle, type Rounds, type Row } from './rounds.ts'

/** Ours and the rivals, a line or two each, and a line for each goal. */
export function textOf(row: Row, rounds: Rounds, notes: readonly string[]): string {
  const lines = [`${row.name}: ${row.what}`]
  for (const [name, measures] of rounds) {
    const names = Object.keys(measures[0] ?? {})
    const of = (measure: string): number => middle(rounds, name, measure)
    const others = names.filter(measure => measure !== 'rate' && !isCost(measure))
    const shown = others.map(measure => `${measure} ${figure(of(measure))}`).join(', ')
    lines.push(`  ${name.padEnd(16)} ${figure(of('rate')).padStart(9)} ${row.unit}   ${shown}`.trimEnd())
    const costs = costsOf(names, of)
    if (costs !== '') lines.push(`  ${' '.repeat(16)} ${costs}`)
  }
  for (const note of notes) lines.push(`  ${note}`)
  for (const finding of findingsOf(row.goals, rounds)) lines.push(`  ${lineOf(finding)}`)
  return lines.join('\n')
}

function isCost(measure: string): boolean {
  return /^(us[A-Z]|garbage)/.test(measure)
}

/** Processor time by thread and garbage, per operation. */
function costsOf(names: readonly string[], of: (measure: string) => number): string {
  const times = names
    .filter(name => /^us[A-Z]/.test(name))
    .map(name => `${name.slice(2).toLowerCase()} ${figure(of(name))}`)
  const garbage = names.filter(name => name.startsWith('garbage'))
  const freed = garbage.map(name => `${name === 'garbage' ? 'main' : 'others'} ${Math.round(of(name))}`)
  return [
    ...(times.length > 0 ? [`CPU us/op: ${times.join(', ')}`] : []),
    ...(freed.length > 0 ? [`garbage B/op: ${freed.join(', ')}`] : []),
  ].join('; ')
}

function lineOf({ goal, value, from, to, verdict }: Finding): string {
  return `${goal.padEnd(34)} ${figure(value)} (${figure(from)}-${figure(to)})   ${verdict}`
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '-'
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}
