import type { ConvertRequest, ConvertResult } from './protocol.js'

/** From the process that converts one drop alone. */
export type FromChild =
  /** Everything it needs is loaded: what stops it from now on is the drop's doing. */
  { readonly kind: 'ready' } | { readonly kind: 'result'; readonly result: ConvertResult }

/** To it, once it is ready. */
export interface ToChild {
  readonly kind: 'convert'
  readonly request: ConvertRequest
}
