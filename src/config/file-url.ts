/** The text as a `file:` URL, which a thread can import a module from; null where it is none. */
export function fileUrl(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  return url?.protocol === 'file:' ? url.href : null
}
