/** A page to try an exchange by hand: what is written, how the reply ends, and the reply as text and as hex. */
import type { VNode } from 'preact'
import { useId, useState } from 'preact/hooks'
import { usePage } from '../page.ts'
import { bytesOfBase64 } from '../parts/byte-text.ts'
import type { ReplyFigures } from '../service/figures.ts'
import { ServiceProblem } from '../service/service-problem.ts'
import { type ExchangeForm, type FormFaults, orderOfForm, READS } from './exchange-order.ts'
import { type ExchangeResult, ReplyPanel } from './reply-panel.tsx'

const FIRST: Omit<ExchangeForm, 'target'> = {
  encoding: 'text',
  written: 'hello\\n',
  read: 'line',
  detail: '',
  timeoutMs: '5000',
}

/** `target`: the one that the form begins with. */
export function ExchangeView({ target }: { readonly target: string | null }): VNode {
  const { api, live } = usePage()
  const names = live.targets.value?.filter(({ tenant }) => tenant === null).map(({ name }) => name) ?? []
  const [form, setForm] = useState<ExchangeForm>({ ...FIRST, target: target ?? '' })
  const [faults, setFaults] = useState<FormFaults>({})
  const [result, setResult] = useState<ExchangeResult>({ kind: 'none' })
  const change = (changed: Partial<ExchangeForm>): void => {
    setForm(before => ({ ...before, ...changed }))
    setFaults({})
  }
  const send = async (body: object): Promise<void> => {
    setResult({ kind: 'running' })
    const startMs = performance.now()
    try {
      const call = { method: 'POST', path: '/v1/exchange?encoding=base64', body } as const
      const { data, eof, reused } = await api.call<ReplyFigures>(call)
      const ms = performance.now() - startMs
      setResult({ kind: 'reply', bytes: bytesOfBase64(data), eof, reused, ms })
    } catch (error) {
      setResult({ kind: 'failed', problem: ServiceProblem.of(error), ms: performance.now() - startMs })
    }
    live.hurry()
  }
  return (
    <div class="exchange">
      <form
        class="panel"
        onSubmit={event => {
          event.preventDefault()
          const order = orderOfForm(form, names)
          setFaults(order.kind === 'faults' ? order.faults : {})
          if (order.kind === 'order' && result.kind !== 'running') void send(order.body)
        }}
      >
        <TargetField form={form} names={names} fault={faults.target} change={change} />
        <WrittenField form={form} fault={faults.written} change={change} />
        <ReadFields form={form} fault={faults.detail} change={change} />
        <TimeoutField form={form} fault={faults.timeoutMs} change={change} />
        <div class="buttons">
          <button type="submit" class="primary" aria-disabled={result.kind === 'running'}>
            Exchange
          </button>
        </div>
      </form>
      <ReplyPanel result={result} />
    </div>
  )
}

type FieldProps = {
  readonly form: ExchangeForm
  readonly fault: string | undefined
  readonly change: (changed: Partial<ExchangeForm>) => void
}

function TargetField({
  form,
  names,
  fault,
  change,
}: FieldProps & { readonly names: readonly string[] }): VNode {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>Target</label>
      <input
        id={id}
        list={`${id}-names`}
        autoComplete="off"
        spellcheck={false}
        placeholder="a name, or host:port"
        value={form.target}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-fault`}
        onInput={event => change({ target: event.currentTarget.value })}
      />
      <datalist id={`${id}-names`}>
        {names.map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <Fault id={`${id}-fault`} text={fault} />
    </div>
  )
}

function WrittenField({ form, fault, change }: FieldProps): VNode {
  const id = useId()
  return (
    <div class="field">
      <div class="label-line">
        <label for={id}>Write</label>
        <fieldset class="choice">
          <legend class="unseen">Written as</legend>
          {(['text', 'hex'] as const).map(encoding => (
            <label key={encoding}>
              <input
                type="radio"
                name={`${id}-encoding`}
                checked={form.encoding === encoding}
                onChange={() => change({ encoding })}
              />
              {encoding}
            </label>
          ))}
        </fieldset>
      </div>
      <textarea
        id={id}
        rows={5}
        spellcheck={false}
        value={form.written}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-hint ${id}-fault`}
        onInput={event => change({ written: event.currentTarget.value })}
      />
      <p class="hint" id={`${id}-hint`}>
        {form.encoding === 'text'
          ? 'Escapes: \\r \\n \\t \\0 \\\\ \\xHH. A line end is \\n.'
          : 'Two digits a byte: 50 49 4e 47 0d 0a'}
      </p>
      <Fault id={`${id}-fault`} text={fault} />
    </div>
  )
}

function ReadFields({ form, fault, change }: FieldProps): VNode {
  const [readId, detailId] = [useId(), useId()]
  const { asks, sample } = READS.find(({ kind }) => kind === form.read) ?? READS[0]
  return (
    <div class="field-pair">
      <div class="field">
        <label for={readId}>Read</label>
        <select
          id={readId}
          value={form.read}
          onChange={event => {
            const read = READS.find(({ kind }) => kind === event.currentTarget.value)
            if (read !== undefined) change({ read: read.kind, detail: read.sample })
          }}
        >
          {READS.map(({ kind, label }) => (
            <option key={kind} value={kind}>
              {label}
            </option>
          ))}
        </select>
        <p class="fault" />
      </div>
      <div class="field">
        <label for={detailId}>{asks ?? 'Not needed'}</label>
        <input
          id={detailId}
          disabled={asks === null}
          autoComplete="off"
          spellcheck={false}
          placeholder={sample}
          value={form.detail}
          aria-invalid={fault !== undefined}
          aria-describedby={`${detailId}-fault`}
          onInput={event => change({ detail: event.currentTarget.value })}
        />
        <Fault id={`${detailId}-fault`} text={fault} />
      </div>
    </div>
  )
}

function TimeoutField({ form, fault, change }: FieldProps): VNode {
  const id = useId()
  return (
    <div class="field short">
      <label for={id}>Time-out in ms</label>
      <input
        id={id}
        inputMode="numeric"
        autoComplete="off"
        value={form.timeoutMs}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-fault`}
        onInput={event => change({ timeoutMs: event.currentTarget.value })}
      />
      <Fault id={`${id}-fault`} text={fault} />
    </div>
  )
}

/** Its line is always there, so that nothing moves when it says something. */
function Fault({ id, text = '' }: { readonly id: string; readonly text: string | undefined }): VNode {
  return (
    <p class="fault" id={id} aria-live="polite">
      {text}
    </p>
  )
}
