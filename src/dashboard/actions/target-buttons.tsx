/** What an operator may do to a target of the config. Others see why there is nothing to press; a described target has no verbs. */
import type { VNode } from 'preact'
import { usePage } from '../page.ts'
import type { TargetFigures } from '../service/figures.ts'
import { runVerb, verbsOf } from './verbs.ts'

export type TargetButtonsProps = {
  readonly target: TargetFigures
  /** `first`: those at hand alone. */
  readonly which: 'first' | 'all'
}

export function TargetButtons({ target, which }: TargetButtonsProps): VNode | null {
  const page = usePage()
  if (page.live.rights.value !== 'admin' || target.tenant !== null) return null
  const { first, more } = verbsOf(target)
  const verbs = which === 'all' ? [...first, ...more] : first
  return (
    <div class="buttons">
      {/* By place: where Pause becomes Resume, the focus stays on it. */}
      {verbs.map((verb, at) => (
        <button
          // biome-ignore lint/suspicious/noArrayIndexKey: the place is what stays
          key={at}
          type="button"
          aria-label={`${verb.label} ${target.name}`}
          class={verb.tone === 'danger' ? 'danger-quiet' : ''}
          onClick={() => runVerb(page, target.name, verb)}
        >
          {verb.label}
        </button>
      ))}
      <button
        type="button"
        aria-label={`Resize ${target.name}`}
        onClick={() => page.dialogs.ask({ kind: 'resize', target })}
      >
        Resize
      </button>
    </div>
  )
}
