/** The connections of a target by state, against the most that it may have. Colours say nothing that the words do not. */
import type { VNode } from 'preact'
import { CONNECTION_STATES, type TargetFigures } from '../service/figures.ts'
import { countText } from './format.ts'

export function StateBar({ connections }: Pick<TargetFigures, 'connections'>): VNode {
  const { max, min } = connections
  const used = CONNECTION_STATES.reduce((sum, state) => sum + connections[state], 0)
  // Where the bounds were lowered, more may be there than may be.
  const whole = Math.max(max, used, 1)
  const told = CONNECTION_STATES.map(state => `${connections[state]} ${state}`).join(', ')
  return (
    <div class="state-bar">
      <div class="bar" role="img" aria-label={`${used} of ${max} connections: ${told}; the least is ${min}`}>
        {CONNECTION_STATES.map(state => (
          <span
            key={state}
            class={`part state-${state}`}
            style={{ width: `${(connections[state] / whole) * 100}%` }}
          />
        ))}
        {max < whole && <span class="most" style={{ left: `${(max / whole) * 100}%` }} />}
      </div>
      <ul class="legend" aria-hidden="true">
        {CONNECTION_STATES.map(state => (
          <li key={state} class={connections[state] === 0 ? 'none' : ''}>
            <span class={`mark state-${state}`} />
            {state} <b class="number">{countText(connections[state])}</b>
          </li>
        ))}
        <li>
          min <b class="number">{countText(min)}</b>
        </li>
        <li>
          max <b class="number">{countText(max)}</b>
        </li>
      </ul>
    </div>
  )
}
