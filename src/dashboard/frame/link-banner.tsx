/** How it stands with the service, in a line that is always there: nothing moves when it changes, and each change is read aloud. */
import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { usePage } from '../page.ts'
import { ageText, bytesText } from '../parts/format.ts'
import { knownFleet } from '../service/fleet-look.ts'
import type { ServiceLink, TokenRights } from '../service/live-figures.ts'

export function LinkBanner(): VNode {
  const { live } = usePage()
  const link = live.link.value
  const isDegraded = link.kind === 'live' && knownFleet(live.fleet.value)?.state === 'degraded'
  return (
    <section class={`link-banner ${link.kind} ${isDegraded ? 'degraded' : ''}`} aria-label="Service">
      <span class="dot" aria-hidden="true" />
      <p role="status">{isDegraded ? DEGRADED : linkText(link, live.rights.value)}</p>
      {link.kind === 'lost' && <Retry link={link} />}
      {(link.kind === 'live' || link.kind === 'draining') && <ServiceLine />}
    </section>
  )
}

const DEGRADED = 'Live, but the engine of the fleet does not answer: caps hold as onEngineLoss says.'

function linkText(link: ServiceLink, rights: TokenRights): string {
  switch (link.kind) {
    case 'starting':
      return 'Asking the service …'
    case 'locked':
      return 'The service wants a token.'
    case 'live':
      return rights === 'own'
        ? 'Live. Your token is no admin’s: you see what is its own, and may end your own leases.'
        : 'Live'
    case 'draining':
      return 'The service drains: leases may finish, new ones are refused, and then it ends.'
    case 'lost':
      return `No figures: ${link.problem.message}. What you see is what was known last.`
    default:
      return link satisfies never
  }
}

/** The service itself, in a few figures. */
function ServiceLine(): VNode {
  const service = usePage().live.service.value
  return (
    <p class="number muted service-line">
      {service !== null && `up ${ageText(service.uptimeMs)} · ${bytesText(service.memory.rss)}`}
    </p>
  )
}

/** Each look that fails makes a link of its own, however long the next one is off: by that the clock begins anew. */
function Retry({ link }: { readonly link: Extract<ServiceLink, { kind: 'lost' }> }): VNode {
  const { live } = usePage()
  const [leftMs, setLeftMs] = useState(link.againMs)
  useEffect(() => {
    const endMs = performance.now() + link.againMs
    setLeftMs(link.againMs)
    const timer = setInterval(() => setLeftMs(Math.max(0, endMs - performance.now())), 250)
    return () => clearInterval(timer)
  }, [link])
  return (
    <>
      <span class="number muted" aria-hidden="true">
        again in {Math.ceil(leftMs / 1_000)} s
      </span>
      <button type="button" onClick={() => live.retry()}>
        Retry now
      </button>
    </>
  )
}
