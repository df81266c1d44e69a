/** Light or dark: as the system has it, until somebody chooses. The choice outlives the tab, as it says nothing of anybody. */
import { type Signal, signal } from '@preact/signals'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const KEY = 'sockpool.theme'

export class ThemeChoice {
  readonly chosen: Signal<Theme> = signal(known(localStorage.getItem(KEY)))
  /** Counts changes of what is shown: a canvas has to be drawn anew. */
  readonly shown: Signal<number> = signal(0)

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => void this.shown.value++)
    this.#show()
  }

  choose(theme: Theme): void {
    this.chosen.value = theme
    if (theme === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
    this.#show()
  }

  #show(): void {
    document.documentElement.dataset['theme'] = this.chosen.value
    this.shown.value++
  }
}

function known(stored: string | null): Theme {
  return THEMES.find(theme => theme === stored) ?? 'system'
}
