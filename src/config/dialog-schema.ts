/** What the steps of a dialog may say. */
import { LIMITS } from '../base/limits.ts'
import {
  count,
  duration,
  either,
  just,
  list,
  mapping,
  named,
  optional,
  type SchemaNode,
  text,
} from './schema-node.ts'
import { type PemLeaf, tlsSchema } from './target-tls.ts'
import { CAPTURE_NAME } from './template.ts'

const NAME = 'a name of letters, digits and _, 64 at the most, that begins with no digit'
const HEX = '^(?:[0-9A-Fa-f]{2})+$'
const BASE64 = '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
const ACTIONS = ['send', 'expect', 'tls', 'wait']

export function dialog(description: string, pem: PemLeaf): SchemaNode {
  return list(description, step(pem), { default: undefined, minItems: 1, maxItems: LIMITS.dialogStepsMax })
}

/** A dialog, or a module that speaks it. */
export function dialogOrModule(description: string, pem: PemLeaf): SchemaNode {
  return either(description, 'a list of steps or {module: …}', [
    dialog(description, pem),
    mapping('A module that speaks the dialog.', {
      module: text(
        'Its default export is called with a reader, a writer and `{ startTls }`: a `file:` URL, or a path relative to the config file.',
        'a file: URL or the path of a module',
        { kind: 'module', minLength: 1, maxLength: LIMITS.dialogTextCharsMax },
      ),
    }),
  ])
}

function step(pem: PemLeaf): SchemaNode {
  const expects = 'one of {send: …}, {expect: …}, {tls: …}, {wait: …}'
  return mapping(
    'What is sent, awaited or done next.',
    {
      send: optional(bytes('Bytes to send; `{{name}}` in a text inserts a capture.', 'secret')),
      expect: optional(expectation()),
      tls: optional(
        either(
          'Start TLS here, in `onConnect`: true, or how; the target itself is dialled plain then.',
          'true or a mapping',
          [just('As `tls` of the target says.'), tlsSchema(pem)],
        ),
      ),
      wait: optional(duration('Do nothing for so long.')),
      capture: optional(
        text('The name under which what came is kept for later steps.', NAME, {
          pattern: `^${CAPTURE_NAME}$`,
        }),
      ),
      timeout: optional(
        duration(
          `How long the step may take; default: ${LIMITS.dialogStepTimeoutMs / 1_000}s, and never more than is left of \`pool.connectTimeout\`.`,
        ),
      ),
      when: optional(
        named(
          'Leave the step out unless each of these captures has this text.',
          `^${CAPTURE_NAME}$`,
          text('What the capture has to be.', 'text', { maxLength: LIMITS.dialogTextCharsMax }),
          { expects: NAME, default: undefined, maxProperties: LIMITS.dialogCapturesMax },
        ),
      ),
    },
    { shape: 'step', exactlyOne: ACTIONS, expects },
  )
}

function expectation(): SchemaNode {
  return either('What has to come next.', 'text, a list or a mapping', [
    template('These very bytes.', {}),
    pieces('These very bytes, in pieces.', {}),
    mapping(
      'What has to come next.',
      {
        prefix: optional(bytes('A line that begins like this; all of it is taken, with its end.', 'plain')),
        pattern: optional(
          text(
            'Anything up to the end of the first match of this pattern (RE2); group 1 is captured, or the match.',
            'a pattern',
            { minLength: 1, maxLength: LIMITS.patternCharsMax },
          ),
        ),
        bytes: optional(count('So many bytes.', 1, LIMITS.dialogStepBytesMax)),
        line: optional(just('A line; its end is not captured.')),
        frame: optional(just("One message of the target's `frame`.")),
        ...spellings(),
      },
      {
        minProperties: 1,
        maxProperties: 1,
        expects:
          'one of {prefix: …}, {pattern: …}, {bytes: …}, {line: true}, {frame: true}, {hex: …}, {base64: …}',
      },
    ),
  ])
}

/** Bytes, in any of their spellings. */
function bytes(description: string, secrecy: 'secret' | 'plain'): SchemaNode {
  const traits = secrecy === 'secret' ? { secret: true } : {}
  return either(description, 'text, {hex: …}, {base64: …} or a list of them', [
    template(description, traits),
    pieces(description, traits),
    spelling(traits),
  ])
}

function pieces(description: string, traits: { readonly secret?: boolean }): SchemaNode {
  const piece = either('One piece.', 'text, {hex: …} or {base64: …}', [
    template('Text.', traits),
    spelling(traits),
  ])
  return list(description, piece, {
    default: undefined,
    minItems: 1,
    maxItems: LIMITS.dialogPiecesMax,
    ...traits,
  })
}

function template(description: string, traits: { readonly secret?: boolean }): SchemaNode {
  return text(description, 'text', {
    kind: 'template',
    minLength: 1,
    maxLength: LIMITS.dialogTextCharsMax,
    ...traits,
  })
}

function spelling(traits: { readonly secret?: boolean }): SchemaNode {
  const expects = 'either {hex: …} or {base64: …}'
  return mapping('Bytes in another spelling.', spellings(), {
    shape: 'spelling',
    minProperties: 1,
    maxProperties: 1,
    expects,
    ...traits,
  })
}

/** Bytes that are spelt so may be a variable's, and secret. */
function spellings(): Record<string, SchemaNode> {
  const bounds = { maxLength: LIMITS.dialogTextCharsMax, secret: true }
  return {
    hex: optional(
      text('Bytes in hexadecimal.', 'hexadecimal digits, two for each byte', { pattern: HEX, ...bounds }),
    ),
    base64: optional(text('Bytes in base64.', 'base64', { pattern: BASE64, ...bounds })),
  }
}
