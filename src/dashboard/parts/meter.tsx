/** A share of a whole, 0 to 1, as a bar with its figure. */
import type { VNode } from 'preact'
import { shareText } from './format.ts'

export function Meter({ share }: { readonly share: number | null | undefined }): VNode {
  if (typeof share !== 'number') return <span class="number">–</span>
  const width = `${Math.min(100, Math.max(0, share * 100))}%`
  return (
    <span class="meter">
      <span class="track" aria-hidden="true">
        <span class="fill" style={{ width }} />
      </span>
      <span class="number">{shareText(share)}</span>
    </span>
  )
}
