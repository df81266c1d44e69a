/** Asks for a token, and says why. */
import type { VNode } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { usePage } from '../page.ts'

export function TokenForm(): VNode {
  const { live, token } = usePage()
  const link = live.link.value
  const isWrong = link.kind === 'locked' && link.isWrong
  const field = useRef<HTMLInputElement>(null)
  const id = useId()
  useEffect(() => field.current?.focus(), [])
  return (
    <form
      class="panel token-form"
      onSubmit={event => {
        event.preventDefault()
        const typed = field.current?.value.trim() ?? ''
        if (typed === '') return
        token.keep(typed)
        live.restart()
      }}
    >
      <p>
        Type a token of the configuration, or the one that the service printed at its start. It stays in this
        tab, and is forgotten with it.
      </p>
      <div class="field">
        <label for={id}>Token</label>
        <input
          ref={field}
          id={id}
          type="password"
          autoComplete="off"
          spellcheck={false}
          aria-invalid={isWrong}
          aria-describedby={`${id}-fault`}
        />
        <p class="fault" id={`${id}-fault`} role="alert">
          {isWrong ? 'The service does not know this token.' : ''}
        </p>
      </div>
      <div class="buttons">
        <button type="submit" class="primary">
          Use this token
        </button>
      </div>
    </form>
  )
}
