/** One figure with its name, and what else there is to say of it. */
import type { VNode } from 'preact'

export type TileProps = { readonly name: string; readonly value: string; readonly more?: string }

export function Tile({ name, value, more = '' }: TileProps): VNode {
  return (
    <div class="tile panel">
      <dt>{name}</dt>
      <dd>
        <span class="number value">{value}</span>
        <span class="number muted">{more}</span>
      </dd>
    </div>
  )
}
