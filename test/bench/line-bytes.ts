/** What rows of lines share. The peer's lines have so many bytes, with their newline. */
export const LINE_BYTES = 100

/** A run of lines goes over such a share of what a run of bytes does: a line costs more than its bytes. */
export const LINES_SHARE: number = 1 / 16
