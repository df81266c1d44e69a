/** The head of the page: its name, the ways to its views, and what is chosen for all of them. */
import type { VNode } from 'preact'
import { usePage } from '../page.ts'
import { knownFleet } from '../service/fleet-look.ts'
import { addressOf, type Route } from './route.ts'
import { THEMES } from './theme.ts'

const VIEWS: readonly { readonly name: string; readonly route: Route }[] = [
  { name: 'Targets', route: { view: 'targets' } },
  { name: 'Leases', route: { view: 'leases' } },
  { name: 'Connections', route: { view: 'connections' } },
  { name: 'Workers', route: { view: 'workers' } },
  { name: 'Exchange', route: { view: 'exchange', target: null } },
]

/** The last, so that no other moves when it is known that there is one. */
const FLEET: (typeof VIEWS)[number] = { name: 'Fleet', route: { view: 'fleet' } }

export function Header(): VNode {
  return (
    <header>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the view
      </button>
      <span class="brand">
        <BrandMark />
        sockpool
      </span>
      <Views />
      <div class="settings">
        <ThemeField />
        <TokenButton />
      </div>
    </header>
  )
}

function BrandMark(): VNode {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" class="brand-mark">
      <rect width="32" height="32" rx="7" />
      <path d="M7 11h18M7 16h12M7 21h6" />
      <circle cx="24" cy="21" r="3" />
    </svg>
  )
}

function Views(): VNode {
  const { route, live } = usePage()
  const group = groupOf(route.value)
  const views = knownFleet(live.fleet.value) === null ? VIEWS : [...VIEWS, FLEET]
  return (
    <nav aria-label="Views">
      <ul>
        {views.map(({ name, route: to }) => (
          <li key={name}>
            <a href={addressOf(to)} aria-current={to.view === group ? 'page' : undefined}>
              {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}

function ThemeField(): VNode {
  const { theme } = usePage()
  return (
    <select
      aria-label="Theme"
      value={theme.chosen.value}
      onChange={event => {
        const chosen = THEMES.find(name => name === event.currentTarget.value)
        theme.choose(chosen ?? 'system')
      }}
    >
      {THEMES.map(name => (
        <option key={name} value={name}>
          {name.charAt(0).toUpperCase() + name.slice(1)}
        </option>
      ))}
    </select>
  )
}

function TokenButton(): VNode {
  const { token, live } = usePage()
  // The link changes with the token, so that this is drawn anew.
  const hasToken = live.link.value.kind !== 'locked' && token.value !== null
  return (
    <button
      type="button"
      disabled={!hasToken}
      onClick={() => {
        token.forget()
        live.restart()
      }}
    >
      Forget token
    </button>
  )
}

/** A target is among the targets. */
function groupOf(route: Route): Route['view'] {
  switch (route.view) {
    case 'target':
      return 'targets'
    case 'connection':
      return 'connections'
    default:
      return route.view
  }
}
