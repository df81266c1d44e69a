/** New bounds for the pool of a target. What the service finds wrong stands beside the field that it is about. */
import type { VNode } from 'preact'
import { useId, useState } from 'preact/hooks'
import { type Page, usePage } from '../page.ts'
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
  const page = usePage()
  const { dialogs } = page
  const { name, connections } = target
  const [bounds, setBounds] = useState<Bounds>({ min: `${connections.min}`, max: `${connections.max}` })
  const [attempt, setAttempt] = useState<Attempt>({ kind: 'none' })
  const close = (): void => dialogs.close()
  const send = async (): Promise<void> => {
    setAttempt({ kind: 'running' })
    const failed = await resize(page, name, bounds)
    if (failed === null) close()
    else setAttempt({ kind: 'failed', problem: failed })
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
        <FormButtons isResting={isWrong || attempt.kind === 'running'} onCancel={close} />
      </form>
    </DialogFrame>
  )
}

/** `isResting`: there is nothing to send, or it is being sent. */
function FormButtons({
  isResting,
  onCancel,
}: {
  readonly isResting: boolean
  readonly onCancel: () => void
}): VNode {
  return (
    <div class="buttons end">
      <button type="button" onClick={onCancel}>
        Cancel
      </button>
      <button type="submit" class="primary" aria-disabled={isResting}>
        Resize
      </button>
    </div>
  )
}

/** What speaks against it; null where it is done, and told. */
async function resize(page: Page, name: string, { min, max }: Bounds): Promise<ServiceProblem | null> {
  const { api, notices, live } = page
  try {
    const path = `/v1/targets/${encodeURIComponent(name)}`
    const pool = { min: Number(min), max: Number(max) }
    const done = await api.call<VerbFigures>({ method: 'PATCH', path, body: { pool } })
    notices.good(`${name} has ${pool.min} to ${pool.max} connections now. ${doneText(done)}`)
    live.hurry()
    return null
  } catch (error) {
    return ServiceProblem.of(error)
  }
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
