/** Sets of bytes that the text protocols share, as tables: 1 for a member. */

function byteSet(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0))
}

/** What a line may hold: visible ASCII, space and tab, and whatever is beyond ASCII. No NUL, no CR, no LF. */
export const TEXT: Uint8Array = byteSet(byte => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f))

/** `tchar` of RFC 9110. */
export const TOKEN: Uint8Array = byteSet(byte =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/.test(String.fromCharCode(byte)),
)

/** Visible ASCII, which is what a request target is made of. */
export const VISIBLE: Uint8Array = byteSet(byte => byte > 0x20 && byte < 0x7f)
