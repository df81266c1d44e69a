/** Where bytes are decoded: in a thread, in a process of its own, or in whichever suits them. */
export const ISOLATIONS = ['thread', 'process', 'auto'] as const

export type Isolation = (typeof ISOLATIONS)[number]
