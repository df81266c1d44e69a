/** Which view is shown, by the part of the address behind `#`: so every view has an address, and Back works. */
import { type Signal, signal } from '@preact/signals'

export type Route =
  | { readonly view: 'targets' }
  | { readonly view: 'target'; readonly name: string }
  | { readonly view: 'leases' }
  | { readonly view: 'connections' }
  | { readonly view: 'connection'; readonly id: string }
  | { readonly view: 'workers' }
  | { readonly view: 'fleet' }
  | { readonly view: 'exchange'; readonly target: string | null }

/** Of an address that names no view, the first. */
export function routeOf(hash: string): Route {
  const [view = '', ...rest] = hash.replace(/^#?\/?/, '').split('/')
  const name = decoded(rest.join('/'))
  switch (view) {
    case 'targets':
      return name === '' ? { view } : { view: 'target', name }
    case 'connections':
      return name === '' ? { view } : { view: 'connection', id: name }
    case 'exchange':
      return { view, target: name === '' ? null : name }
    case 'leases':
    case 'workers':
    case 'fleet':
      return { view }
    default:
      return { view: 'targets' }
  }
}

export function addressOf(route: Route): string {
  switch (route.view) {
    case 'target':
      return `#/targets/${encodeURIComponent(route.name)}`
    case 'connection':
      return `#/connections/${encodeURIComponent(route.id)}`
    case 'exchange':
      return `#/exchange${route.target === null ? '' : `/${encodeURIComponent(route.target)}`}`
    default:
      return `#/${route.view}`
  }
}

export function watchedRoute(onChange: () => void): Signal<Route> {
  const route = signal<Route>(routeOf(location.hash))
  addEventListener('hashchange', () => {
    onChange()
    route.value = routeOf(location.hash)
  })
  return route
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
