/** What the parts of the page share. */
import type { Signal } from '@preact/signals'
import { type Context, createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { DialogQueue } from './actions/dialog-queue.ts'
import type { Notices } from './frame/notices.ts'
import type { Route } from './frame/route.ts'
import type { ThemeChoice } from './frame/theme.ts'
import type { AccessToken } from './service/access-token.ts'
import type { LiveFigures } from './service/live-figures.ts'
import type { ServiceApi } from './service/service-api.ts'

export type Page = {
  readonly api: ServiceApi
  readonly token: AccessToken
  readonly live: LiveFigures
  readonly notices: Notices
  readonly dialogs: DialogQueue
  readonly route: Signal<Route>
  readonly theme: ThemeChoice
}

export const PageContext: Context<Page | null> = createContext<Page | null>(null)

export function usePage(): Page {
  const page = useContext(PageContext)
  if (page === null) throw new Error('a part stands outside of the page')
  return page
}
