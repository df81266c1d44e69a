/**
 * What a foreign error says, fit to be read by people. OpenSSL's lines begin with the address of a thread and end with a
 * place in its sources, neither of which is anybody's business; of them the words are left.
 *
 *   404D0804467F0000:error:0A00010B:SSL routines:tls_validate…:wrong version number:../deps/…/tlsany_meth.c:77:
 *   thread                 number   library      function      words                place                      more
 */
const OPENSSL_LINE =
  /(?:[0-9A-F]{8,16}:)?error:[0-9A-F]{8}:([^:\n]*?)(?: routines)?:[^:\n]*:([^:\n]*)(?::[^\n]*?:\d+:([^\n]*))?/gi

/** The message, or the code of an error that has none. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, name } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : name
  if (message === '') return code
  const text = message.replace(OPENSSL_LINE, plain)
  return text === message ? message : text.trim().replaceAll(/\s*\n\s*/g, '; ')
}

function plain(_line: string, library: string, words: string, more: string | undefined): string {
  return `${library}: ${words}${more ? ` (${more})` : ''}`
}
