/** A state in one word. */
import type { VNode } from 'preact'
import { words } from './format.ts'

export type BadgeTone = 'good' | 'plain' | 'warning' | 'bad'

const TONES: Readonly<Record<string, BadgeTone>> = {
  active: 'good',
  serving: 'good',
  up: 'good',
  ok: 'good',
  clean: 'good',
  closed: 'good',
  joined: 'good',
  busy: 'plain',
  degraded: 'warning',
  paused: 'warning',
  draining: 'warning',
  half_open: 'warning',
  slow_start: 'warning',
  running: 'warning',
  used_up: 'warning',
  disabled: 'bad',
  ejected: 'bad',
  open: 'bad',
}

/** `about`: what is in that state, for who does not see where the word stands. */
export function Badge({ state, about }: { readonly state: string; readonly about?: string }): VNode {
  return (
    <span class={`badge ${TONES[state] ?? 'plain'}`}>
      {about !== undefined && <span class="quiet">{about} </span>}
      {words(state)}
    </span>
  )
}
