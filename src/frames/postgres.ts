import type { Frame } from './frame.ts'
import { PostgresAnswers } from './postgres-answers.ts'
import { PostgresRequests } from './postgres-requests.ts'

/**
 * PostgreSQL's protocol 3. An answer is all up to and with ReadyForQuery, an authentication request that wants an answer,
 * CopyInResponse or CopyOutResponse; the one byte after SSLRequest and GSSENCRequest; or a fatal error with the end of the
 * stream. What comes unasked (notices, notifications) is a part of the next answer. Counts prove nothing here: one query
 * may be many, so that a connection is known to be at rest by its dialogs alone.
 */
export function postgresFrame(max: number): Frame {
  return {
    name: 'postgres',
    max,
    balances: false,
    answers: () => new PostgresAnswers(max),
    requests: () => new PostgresRequests(max),
  }
}
