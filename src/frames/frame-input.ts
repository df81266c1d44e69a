/** What a program may say of a frame; `judgeFrame` makes a FrameSpec of it. */
import type { FrameName, LengthField, Marks } from './frame-spec.ts'

/** Text (`\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` stand for their bytes), or bytes. */
type BytesInput = string | { readonly hex: string } | { readonly base64: string } | Uint8Array

/** How one message ends: by a protocol's rules, its length, its marks, its size, or a module of the program's own. */
export type FrameInput =
  | FrameName
  | { readonly lengthField: Partial<LengthField> }
  | { readonly delimiter: BytesInput | { readonly [Mark in keyof Marks]: BytesInput }; readonly max?: number }
  | { readonly fixed: number }
  | { readonly module: string | URL }
