/** New bounds for the pool of a target. What the service finds wrong stands beside the field that it is about. */
import type { VNode } from 'preact'
import { useId, useState } from 'preact/hooks'
import { usePage } from '../page.ts'
import { DialogFrame } from '../parts/dialog-frame.tsx'
import { ProblemReport } from '../parts/problem-report.tsx'
import type { TargetFigures, VerbFigures } from '../service/figures.ts'
import { ServiceProblem } from '../service/service-problem.ts'
import { doneText } from './verbs.ts'

type Bounds = { readonly min: string; readonly max: string }

type Attempt =
  | { readonly kind: 'none' }
  | { readonly kind: 'running' }
  | { readonly kind: 'failed'; readonly problem: ServiceProblem }

export function ResizeDialog({ target }: { readonly target: TargetFigures }): VNode {
  const { api, dialogs, live, notices } = usePage()
  const { name, connections } = target
  const [bounds, setBounds] = useState<Bounds>({ min: `${connections.min}`, max: `${connections.max}` })
  const [attempt, setAttempt] = useState<Attempt>({ kind: 'none' })
  const close = (): void => dialogs.close()
  const send = async (): Promise<void> => {
    setAttempt({ kind: 'running' })
    try {
      const path = `/v1/targets/${encodeURIComponent(name)}`
      const pool = { min: Number(bounds.min), max: Number(bounds.max) }
      const done = await api.call<VerbFigures>({ method: 'PATCH', path, body: { pool } })
      notices.good(`${name} has ${pool.min} to ${pool.max} connections now. ${doneText(done)}`)
      live.hurry()
      close()
    } catch (error) {
      setAttempt({ kind: 'failed', problem: ServiceProblem.of(error) })
    }
  }
  const fault = (field: keyof Bounds): string => ownFault(bounds, field) ?? serviceFault(attempt, field) ?? ''
  const isWrong = ownFault(bounds, 'min') !== null || ownFault(bounds, 'max') !== null
  const isUntold = attempt.kind === 'failed' && fault('min') === '' && fault('max') === ''
  return (
    <DialogFrame title={`Resize ${name}`} onClose={close}>
      <form
        onSubmit={event => {
          event.preventDefault()
          if (!isWrong && attempt.kind !== 'running') void send()
        }}
      >
        <p>No lease is cut: a surplus of connections closes where it is idle, else when it comes back.</p>
        <div class="field-pair">
          {(['min', 'max'] as const).map(field => (
            <BoundField
              key={field}
              label={field === 'min' ? 'Least connections' : 'Most connections'}
              value={bounds[field]}
              fault={fault(field)}
              onInput={value => {
                setBounds({ ...bounds, [field]: value })
                if (attempt.kind === 'failed') setAttempt({ kind: 'none' })
              }}
            />
          ))}
        </div>
        {isUntold && <ProblemReport problem={attempt.problem} />}
        <div class="buttons end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" aria-disabled={isWrong || attempt.kind === 'running'}>
            Resize
          </button>
        </div>
      </form>
    </DialogFrame>
  )
}

type BoundFieldProps = {
  readonly label: string
  readonly value: string
  readonly fault: string
  readonly onInput: (value: string) => void
}

function BoundField({ label, value, fault, onInput }: BoundFieldProps): VNode {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        inputMode="numeric"
        autoComplete="off"
        value={value}
        aria-invalid={fault !== ''}
        aria-describedby={`${id}-fault`}
        onInput={event => onInput(event.currentTarget.value)}
      />
      <p class="fault" id={`${id}-fault`} aria-live="polite">
        {fault}
      </p>
    </div>
  )
}

/** What need not be asked of the service. */
function ownFault(bounds: Bounds, field: keyof Bounds): string | null {
  if (!/^\d{1,6}$/.test(bounds[field].trim())) return 'a whole number'
  if (field === 'max' && Number(bounds.max) < 1) return 'at least one connection'
  if (field === 'min' && /^\d+$/.test(bounds.max.trim()) && Number(bounds.min) > Number(bounds.max))
    return 'no more than the most'
  return null
}

function serviceFault(attempt: Attempt, field: keyof Bounds): string | null {
  if (attempt.kind !== 'failed') return null
  return attempt.problem.faults.find(({ path }) => path === `pool.${field}`)?.message ?? null
}
