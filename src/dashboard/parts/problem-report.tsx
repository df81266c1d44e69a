/** A problem of the API in full: whoever reads it may look up its code. */
import type { VNode } from 'preact'
import type { ServiceProblem } from '../service/service-problem.ts'
import { bytesOfBase64, textOfBytes } from './byte-text.ts'

export function ProblemReport({ problem }: { readonly problem: ServiceProblem }): VNode {
  const { status, code, title, message, faults, fields } = problem
  return (
    <div class="problem">
      <p class="problem-title">
        {title} <code>{status === 0 ? code : `${status} ${code}`}</code>
      </p>
      <p>{message}</p>
      {faults.length > 0 && (
        <ul>
          {faults.map(({ path, message: what }) => (
            <li key={path}>
              <code>{path}</code> {what}
            </li>
          ))}
        </ul>
      )}
      <dl class="fields">
        {Object.entries(fields).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{fieldText(name, value)}</code>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** The bytes that had come are base64. */
function fieldText(name: string, value: unknown): string {
  if (name !== 'partial' || typeof value !== 'string') return JSON.stringify(value)
  try {
    return textOfBytes(bytesOfBase64(value))
  } catch {
    return value
  }
}
