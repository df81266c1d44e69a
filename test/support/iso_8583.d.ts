/** What the tests use of iso_8583, which comes without types of its own. */
declare module 'iso_8583' {
  type Fields = Readonly<Record<string, string>>
  class Iso8583 {
    constructor(fields?: Fields)
    /** The fields of a message with its two bytes of length, or what is wrong with it. */
    getIsoJSON(message: Buffer): Fields | { readonly error: string }
    /** The message with its length, or what is wrong with the fields. */
    getBufferMessage(): Buffer | { readonly error: string }
  }
  export = Iso8583
}
