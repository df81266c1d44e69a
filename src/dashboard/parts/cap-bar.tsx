/** The permits of a cap by the instance that holds them. Colours say nothing that the words do not. */
import type { VNode } from 'preact'
import type { CapFigures } from '../service/figures.ts'
import { countText } from './format.ts'

/** Instances with a part of their own: a bar of a thousand shows nothing. */
const PARTS_MAX = 16
/** As many colours follow each other. */
const COLOURS = 5

type Part = { readonly name: string; readonly permits: number; readonly colour: string }

/** By name: who takes and gives does not change its place. */
function partsOf({ byInstance }: CapFigures): readonly Part[] {
  const holders = Object.entries(byInstance).toSorted(([one], [other]) => (one < other ? -1 : 1))
  const parts = holders
    .slice(0, PARTS_MAX)
    .map(([name, permits], at) => ({ name, permits, colour: `share-${at % COLOURS}` }))
  const rest = holders.slice(PARTS_MAX)
  if (rest.length === 0) return parts
  const permits = rest.reduce((sum, [, count]) => sum + count, 0)
  return [...parts, { name: `${rest.length} others`, permits, colour: 'share-rest' }]
}

export function CapBar({ figures }: { readonly figures: CapFigures }): VNode {
  const { cap, held } = figures
  const parts = partsOf(figures)
  // Where the cap was lowered, or the engine failed over, more may be held than may be.
  const whole = Math.max(cap, held, 1)
  const told = parts.map(({ name, permits }) => `${name} ${permits}`).join(', ')
  return (
    <div class="state-bar">
      <div class="bar" role="img" aria-label={`${held} of ${cap} permits are held: ${told || 'by nobody'}`}>
        {parts.map(({ name, permits, colour }) => (
          <span key={name} class={`part ${colour}`} style={{ width: `${(permits / whole) * 100}%` }} />
        ))}
        {cap < whole && <span class="most" style={{ left: `${(cap / whole) * 100}%` }} />}
      </div>
      <ul class="legend" aria-hidden="true">
        {parts.map(({ name, permits, colour }) => (
          <li key={name} class={permits === 0 ? 'none' : ''}>
            <span class={`mark ${colour}`} />
            <span class="legend-name">{name}</span> <b class="number">{countText(permits)}</b>
          </li>
        ))}
        <li>
          cap <b class="number">{countText(cap)}</b>
        </li>
      </ul>
    </div>
  )
}
