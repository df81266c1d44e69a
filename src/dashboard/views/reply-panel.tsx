/** What came of an exchange: the reply both ways, or the problem in full. */
import type { VNode } from 'preact'
import { firstBytes, hexOfBytes, textOfBytes } from '../parts/byte-text.ts'
import { bytesText, countText, durationText } from '../parts/format.ts'
import { ProblemReport } from '../parts/problem-report.tsx'
import type { ServiceProblem } from '../service/service-problem.ts'

export type ExchangeResult =
  | { readonly kind: 'none' }
  | { readonly kind: 'running' }
  | {
      readonly kind: 'reply'
      readonly bytes: Uint8Array
      readonly eof: boolean
      readonly reused: boolean
      readonly ms: number
    }
  | { readonly kind: 'failed'; readonly problem: ServiceProblem; readonly ms: number }

/** Bytes that are shown: nobody reads more, and a browser draws them at once. */
const SHOWN_BYTES_MAX = 16_384

export function ReplyPanel({ result }: { readonly result: ExchangeResult }): VNode {
  return (
    <section class="panel reply" aria-label="Reply">
      <h2>Reply</h2>
      <p class="number muted" role="status">
        {statusText(result)}
      </p>
      <ResultBody result={result} />
    </section>
  )
}

function ResultBody({ result }: { readonly result: ExchangeResult }): VNode {
  switch (result.kind) {
    case 'none':
      return <p class="empty">Write something to a target, and its reply stands here.</p>
    case 'running':
      return <p class="empty">Waiting for the reply …</p>
    case 'failed':
      return <ProblemReport problem={result.problem} />
    case 'reply': {
      const shown = firstBytes(result.bytes, SHOWN_BYTES_MAX)
      const left = result.bytes.length - shown.length
      return (
        <>
          <Bytes name="Text" text={textOfBytes(shown)} />
          <Bytes name="Hex" text={hexOfBytes(shown)} />
          {left > 0 && <p class="muted">{countText(left)} bytes more are not shown.</p>}
        </>
      )
    }
    default:
      return result satisfies never
  }
}

/** Bytes scroll in a region of their own. */
function Bytes({ name, text }: { readonly name: string; readonly text: string }): VNode {
  return (
    <>
      <h3>{name}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard */}
      <section class="bytes" aria-label={`Reply as ${name.toLowerCase()}`} tabIndex={0}>
        <pre>{text}</pre>
      </section>
    </>
  )
}

function statusText(result: ExchangeResult): string {
  switch (result.kind) {
    case 'none':
      return 'Nothing was sent yet.'
    case 'running':
      return 'Sent.'
    case 'failed':
      return `Failed after ${durationText(result.ms)}.`
    case 'reply': {
      const { bytes, ms, reused, eof } = result
      const connection = reused ? 'a connection that was open' : 'a new connection'
      return `${bytesText(bytes.length)} in ${durationText(ms)} over ${connection}${eof ? ', which the peer ended' : ''}.`
    }
    default:
      return result satisfies never
  }
}
