/** The notices, in a corner above everything: they move nothing. */
import type { VNode } from 'preact'
import { usePage } from '../page.ts'
import { ProblemReport } from '../parts/problem-report.tsx'
import type { Notice } from './notices.ts'

export function NoticeCorner(): VNode {
  const { notices } = usePage()
  const of = (tone: Notice['tone']): readonly Notice[] =>
    notices.shown.value.filter(notice => notice.tone === tone)
  return (
    <section class="notices" aria-label="Notices">
      <div role="alert">
        {of('bad').map(notice => (
          <NoticeCard key={notice.id} notice={notice} />
        ))}
      </div>
      <div role="status">
        {of('good').map(notice => (
          <NoticeCard key={notice.id} notice={notice} />
        ))}
      </div>
    </section>
  )
}

function NoticeCard({ notice }: { readonly notice: Notice }): VNode {
  const { notices } = usePage()
  const { id, tone, text, problem } = notice
  return (
    <div class={`notice ${tone}`}>
      <div>
        <p>{text}</p>
        {problem !== null && <ProblemReport problem={problem} />}
      </div>
      <button type="button" class="bare" aria-label={`Dismiss: ${text}`} onClick={() => notices.dismiss(id)}>
        ✕
      </button>
    </div>
  )
}
