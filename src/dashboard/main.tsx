/** The entry of the page: makes its parts, and shows them. */
import { render } from 'preact'
import { DialogQueue } from './actions/dialog-queue.ts'
import { App } from './frame/app.tsx'
import { Notices } from './frame/notices.ts'
import { watchedRoute } from './frame/route.ts'
import { ThemeChoice } from './frame/theme.ts'
import { tellEvent } from './frame/told-events.ts'
import { type Page, PageContext } from './page.ts'
import { AccessToken } from './service/access-token.ts'
import { LiveFigures } from './service/live-figures.ts'
import { ServiceApi } from './service/service-api.ts'

const token = new AccessToken({ storage: sessionStorage, location, history })
const api = new ServiceApi(token)
const notices = new Notices()
const live = new LiveFigures({ api, token, tell: event => tellEvent(event, notices) })
const route = watchedRoute(() => {
  // An address with a token was put into a page that is open.
  if (token.takeFromAddress()) live.restart()
})
const page: Page = { api, token, live, notices, route, dialogs: new DialogQueue(), theme: new ThemeChoice() }

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') live.stop()
  else live.start()
})
if (document.visibilityState !== 'hidden') live.start()

const root = document.getElementById('app')
if (root !== null)
  render(
    <PageContext.Provider value={page}>
      <App />
    </PageContext.Provider>,
    root,
  )
