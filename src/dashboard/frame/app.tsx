/** The whole page: head, how it stands with the service, the view, and what lies above it. */
import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ConfirmDialog } from '../actions/confirm-dialog.tsx'
import { ResizeDialog } from '../actions/resize-dialog.tsx'
import { usePage } from '../page.ts'
import type { Wants } from '../service/live-figures.ts'
import { ConnectionView } from '../views/connection-view.tsx'
import { ConnectionsView } from '../views/connections-view.tsx'
import { ExchangeView } from '../views/exchange-view.tsx'
import { FleetView } from '../views/fleet-view.tsx'
import { LeasesView } from '../views/leases-view.tsx'
import { TargetView } from '../views/target-view.tsx'
import { TargetsView } from '../views/targets-view.tsx'
import { WorkersView } from '../views/workers-view.tsx'
import { Header } from './header.tsx'
import { LinkBanner } from './link-banner.tsx'
import { NoticeCorner } from './notice-corner.tsx'
import { addressOf, type Route } from './route.ts'
import { TokenForm } from './token-form.tsx'

export function App(): VNode {
  const { live, route, dialogs } = usePage()
  const main = useRef<HTMLElement>(null)
  const shown = route.value
  const address = addressOf(shown)
  const isLocked = live.link.value.kind === 'locked'
  const first = useRef(true)
  useEffect(() => {
    live.want(wantsOf(shown))
    document.title = `${titleOf(shown)} · sockpool`
    // Who has followed a link reads on at its head, by keyboard and by ear; the page itself begins at its own.
    if (first.current) first.current = false
    else {
      scrollTo(0, 0)
      main.current?.focus({ preventScroll: true })
    }
  }, [address])
  const asked = dialogs.open.value
  return (
    <>
      <Header />
      <LinkBanner />
      <main ref={main} tabIndex={-1} id="main">
        <h1>{isLocked ? 'Token' : titleOf(shown)}</h1>
        {isLocked ? <TokenForm /> : viewOf(shown)}
      </main>
      {asked?.kind === 'confirm' && <ConfirmDialog asked={asked} />}
      {asked?.kind === 'resize' && <ResizeDialog target={asked.target} />}
      <NoticeCorner />
    </>
  )
}

function viewOf(route: Route): VNode {
  switch (route.view) {
    case 'targets':
      return <TargetsView />
    case 'target':
      return <TargetView key={route.name} name={route.name} />
    case 'leases':
      return <LeasesView />
    case 'connections':
      return <ConnectionsView />
    case 'connection':
      return <ConnectionView key={route.id} id={route.id} />
    case 'workers':
      return <WorkersView />
    case 'fleet':
      return <FleetView />
    case 'exchange':
      return <ExchangeView key={route.target} target={route.target} />
    default:
      return route satisfies never
  }
}

function titleOf(route: Route): string {
  switch (route.view) {
    case 'target':
      return `Target ${route.name}`
    case 'connection':
      return `Connection ${route.id}`
    default:
      return `${route.view.charAt(0).toUpperCase()}${route.view.slice(1)}`
  }
}

function wantsOf(route: Route): Wants {
  switch (route.view) {
    case 'target':
    case 'connections':
      return { listings: ['connections'], story: null }
    case 'leases':
      return { listings: ['connections', 'leases'], story: null }
    case 'connection':
      return { listings: [], story: route.id }
    case 'workers':
      return { listings: ['workers'], story: null }
    case 'targets':
    case 'fleet':
    case 'exchange':
      return { listings: [], story: null }
    default:
      return route satisfies never
  }
}
