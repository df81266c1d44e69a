/**
 * Names that a running service knows, for a shell to offer: within a moment, or none. A shell may run what is offered as a
 * part of its own script, so only words pass that mean nothing to any shell, whatever answers there.
 */
import { LIMITS } from '../base/limits.ts'
import { environmentUrl } from '../config/environment.ts'
import { TARGET_NAME } from '../config/target-name.ts'
import { loadForCommand } from './config-commands.ts'
import { type ApiRow, rowsAt, textAt } from './row-field.ts'
import { askService } from './service-call.ts'

export type LiveKind = 'targets' | 'connections' | 'workers'

export type LiveWord = { readonly word: string; readonly about: string }

/** What names a row, and what is said of it. */
const FIELDS: Readonly<Record<LiveKind, { readonly word: string; readonly about: readonly string[] }>> = {
  targets: { word: 'name', about: ['state'] },
  connections: { word: 'id', about: ['target', 'state'] },
  workers: { word: 'id', about: ['kind', 'state'] },
}

const SAFE_WORD = new RegExp(TARGET_NAME)

/** Commands that dial by themselves where no flag and no variable names a service. */
const DIALLING = ['exchange', 'forward']

/** `flags`: those that were typed before. Empty where nobody answers in time. */
export async function liveWords(
  kind: LiveKind,
  command: string,
  flags: Readonly<Record<string, string>>,
): Promise<readonly LiveWord[]> {
  try {
    const found = isDialling(command, flags) ? configuredTargets(flags) : await askedWords(kind, flags)
    return found
      .filter(({ word }) => SAFE_WORD.test(word))
      .map(({ word, about }) => ({ word, about: about.replace(/[^\w .-]/g, '') }))
      .slice(0, LIMITS.completionWordsMax)
  } catch {
    // No service, no right to ask, a faulty file: whoever presses TAB wants to hear of none of it.
    return []
  }
}

function isDialling(command: string, flags: Readonly<Record<string, string>>): boolean {
  if (!DIALLING.includes(command)) return false
  return flags['config'] !== undefined || (flags['url'] ?? environmentUrl()) === undefined
}

/** The targets of the file that `--config` names. */
function configuredTargets({ config: file }: Readonly<Record<string, string>>): readonly LiveWord[] {
  if (file === undefined) return []
  return Object.keys(loadForCommand({ file }).targets).map(word => ({ word, about: file }))
}

async function askedWords(
  kind: LiveKind,
  { url, token, ca, cert, key }: Readonly<Record<string, string>>,
): Promise<readonly LiveWord[]> {
  const request = { method: 'GET', path: `/v1/${kind}`, timeoutMs: LIMITS.completionAskMs } as const
  const answer = await askService({ url, token, ca, cert, key }, request)
  const { word, about } = FIELDS[kind]
  const isOffered = (row: ApiRow): boolean => kind !== 'workers' || row['kind'] === 'io'
  return rowsAt(answer, kind)
    .filter(isOffered)
    .map(row => ({ word: textAt(row, word), about: about.map(path => textAt(row, path)).join(' ') }))
}
