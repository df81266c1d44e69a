/** From a dialog as a target has it to the steps that an I/O worker takes. */
import type { Dialog, DialogBytes, DialogModule, DialogStep, Expectation } from '../../base/dialog-data.ts'
import { LIMITS } from '../../base/limits.ts'
import type {
  StepBytes,
  StepExpectation,
  StepPiece,
  TargetDialog,
  TargetDialogModule,
  TargetStep,
} from '../../config/target-dialog.ts'
import type { TargetTls } from '../../config/target-tls.ts'
import { templatePieces } from '../../config/template.ts'

/** `tls`: what a step that starts TLS goes by where it does not say it. */
export function dialogOf(dialog: TargetDialog = [], tls: TargetTls = {}): Dialog {
  return dialog.map(step => stepOf(step, tls))
}

/** Whether a connection speaks plain text until a step of this dialog starts TLS. */
export function startsTls(dialog: TargetDialog | TargetDialogModule = []): boolean {
  return !('module' in dialog) && dialog.some(step => 'tls' in step)
}

/** As `dialogOf`, where a module may speak it. */
export function onConnectOf(
  dialog: TargetDialog | TargetDialogModule = [],
  tls?: TargetTls,
): Dialog | DialogModule {
  return 'module' in dialog ? { module: dialog.module } : dialogOf(dialog, tls)
}

function stepOf(step: TargetStep, tls: TargetTls): DialogStep {
  const { timeoutMs = LIMITS.dialogStepTimeoutMs, when = null } = step
  const traits = { timeoutMs, when }
  if ('send' in step) return { ...traits, kind: 'send', bytes: bytesOf(step.send) }
  if ('expect' in step)
    return { ...traits, kind: 'expect', what: expectationOf(step.expect), capture: step.capture ?? null }
  if ('tls' in step) return { ...traits, kind: 'tls', tls: step.tls === true ? tls : step.tls }
  return { ...traits, kind: 'wait', ms: step.waitMs }
}

function expectationOf(expect: StepExpectation): Expectation {
  if (typeof expect === 'string' || isList(expect) || 'hex' in expect || 'base64' in expect)
    return { kind: 'bytes', bytes: bytesOf(expect) }
  if ('prefix' in expect) return { kind: 'prefix', bytes: bytesOf(expect.prefix) }
  if ('pattern' in expect) return { kind: 'pattern', pattern: expect.pattern }
  if ('bytes' in expect) return { kind: 'count', count: expect.bytes }
  return { kind: 'line' in expect ? 'line' : 'frame' }
}

function bytesOf(bytes: StepBytes): DialogBytes {
  return (isList(bytes) ? bytes : [bytes]).flatMap(piecesOf)
}

function piecesOf(piece: StepPiece): DialogBytes {
  if (typeof piece !== 'string')
    return ['hex' in piece ? Buffer.from(piece.hex, 'hex') : Buffer.from(piece.base64, 'base64')]
  return templatePieces(piece).map(part => ('name' in part ? part.name : Buffer.from(part.text)))
}

function isList(value: StepExpectation): value is readonly StepPiece[] {
  return Array.isArray(value)
}
