/**
 * The faults of dialogs that no single field shows: captures that nobody made, patterns that cannot be searched, TLS at a
 * time when nothing may start it. Runs on the completed form, whose shape may be faulty in other ways.
 */
import { LIMITS } from '../base/limits.ts'
import { patternFault } from '../base/pattern.ts'
import { childPath } from './complete.ts'
import { field, isRecord } from './schema-node.ts'
import { templatePieces } from './template.ts'

type Report = (path: string, message: string) => void

/** `hasFrame`: the target has a frame, its own or its preset's. */
export function checkDialogs(target: unknown, hasFrame: boolean, path: string, report: Report): void {
  for (const name of ['onConnect', 'probe', 'onRelease']) {
    const steps = field(target, name)
    if (Array.isArray(steps)) new DialogCheck(name, hasFrame, report).run(steps, childPath(path, name))
  }
}

class DialogCheck {
  readonly #dialog: string
  readonly #hasFrame: boolean
  readonly #report: Report
  readonly #captures = new Set<string>()
  #speaksTls = false

  constructor(dialog: string, hasFrame: boolean, report: Report) {
    this.#dialog = dialog
    this.#hasFrame = hasFrame
    this.#report = report
  }

  run(steps: readonly unknown[], path: string): void {
    for (const [index, step] of steps.entries()) this.#check(step, childPath(path, String(index)))
  }

  #check(step: unknown, path: string): void {
    const [send, expect, tls, when] = ['send', 'expect', 'tls', 'when'].map(key => field(step, key))
    for (const name of isRecord(when) ? Object.keys(when) : []) this.#use(name, childPath(path, 'when'))
    this.#checkTexts(send, childPath(path, 'send'))
    this.#checkExpected(expect, childPath(path, 'expect'))
    if (tls !== undefined) this.#checkTls(tls, childPath(path, 'tls'))
    const capture = field(step, 'capture')
    if (typeof capture !== 'string') return
    const where = childPath(path, 'capture')
    if (expect === undefined) this.#report(where, 'is for what came: it stands beside expect')
    this.#captures.add(capture)
    if (this.#captures.size === LIMITS.dialogCapturesMax + 1)
      this.#report(
        where,
        `must not be a name more than the ${LIMITS.dialogCapturesMax} that a dialog may have`,
      )
  }

  #checkExpected(expect: unknown, path: string): void {
    if (!isRecord(expect)) return this.#checkTexts(expect, path)
    const { prefix, pattern, frame } = expect
    this.#checkTexts(prefix, childPath(path, 'prefix'))
    const fault = typeof pattern === 'string' ? patternFault(pattern) : null
    if (fault !== null) this.#report(childPath(path, 'pattern'), fault)
    if (frame === true && !this.#hasFrame)
      this.#report(childPath(path, 'frame'), 'needs the frame of the target, which has none')
  }

  #checkTls(tls: unknown, path: string): void {
    if (this.#dialog !== 'onConnect') this.#report(path, 'can start on a new connection only: in onConnect')
    else if (this.#speaksTls) this.#report(path, 'cannot start twice on one connection')
    if (field(tls, 'allowTruncated') !== undefined)
      this.#report(childPath(path, 'allowTruncated'), "is for exchanges: it stands in the target's tls")
    this.#speaksTls = true
  }

  #checkTexts(bytes: unknown, path: string): void {
    if (Array.isArray(bytes))
      for (const [index, piece] of bytes.entries()) this.#checkText(piece, childPath(path, String(index)))
    else this.#checkText(bytes, path)
  }

  #checkText(text: unknown, path: string): void {
    if (typeof text !== 'string') return
    for (const piece of templatePieces(text)) if ('name' in piece) this.#use(piece.name, path)
  }

  #use(name: string, path: string): void {
    if (!this.#captures.has(name))
      this.#report(path, `uses the capture ${JSON.stringify(name)}, which no step before has made`)
  }
}
