/** The bounds of formats of text. They are a part of LIMITS, by which name everybody reads them. */
export const TEXT_FORMAT_LIMITS = {
  /** CSV: bytes of whole records that the library is given at a time, so that its rows are never all there at once. */
  csvBatchBytes: 65_536,
  /** CSV and XML: names that an option lists, and characters of one: more columns than a spreadsheet has (16,384) are none. */
  formatNamesMax: 16_384,
  formatNameCharsMax: 1_024,
  /** JSON: bytes of a text that has too few values and characters for any bound but that of nesting. */
  jsonQuickBytes: 65_536,
  /** HTTP/1: interim answers before one response; a server sends a few, and a hostile one without end. */
  http1InterimMax: 1_000,
  /** XML: characters of what stands before the name of an attribute. */
  xmlPrefixCharsMax: 8,
} as const
