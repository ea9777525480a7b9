import type { ErrorCode } from '../errors.js'
import type { RecordStatus } from './record-model.js'

/** A record that has no metadata is `absent`; all others are in the status of their current version. */
export type RecordState = 'absent' | RecordStatus

/** create and update make a version; approve and reject change what is said about the current one. */
export type RecordAction = 'create' | 'update' | 'approve' | 'reject'

export interface Refusal {
  readonly code: ErrorCode
  /** Contract (DESIGN §3): other programs compare these texts. */
  readonly message: string
}

const to = (status: RecordStatus) => ({ ok: true, to: status }) as const
const no = (code: ErrorCode, message: string) => ({ ok: false, refusal: { code, message } }) as const

const EXISTS = no('RECORD_EXISTS', 'Record already exists')
const MISSING = no('RECORD_NOT_FOUND', 'Record does not exist')

type Step = { readonly ok: true; readonly to: RecordStatus } | { readonly ok: false; readonly refusal: Refusal }

/** Every state with every action: the only place that says what a record may become. */
const TRANSITIONS: Readonly<Record<RecordState, Readonly<Record<RecordAction, Step>>>> = {
  absent: { create: to('draft'), update: MISSING, approve: MISSING, reject: MISSING },
  draft: { create: EXISTS, update: to('draft'), approve: to('approved'), reject: to('rejected') },
  approved: {
    create: EXISTS,
    update: to('draft'),
    approve: no('ALREADY_APPROVED', 'Already approved'),
    reject: no('CANNOT_REJECT_APPROVED', 'Cannot reject approved'),
  },
  rejected: {
    create: EXISTS,
    update: to('draft'),
    approve: no('CANNOT_APPROVE_REJECTED', 'Cannot approve rejected'),
    reject: no('ALREADY_REJECTED', 'Already rejected'),
  },
}

export type Transition =
  | { readonly ok: true; readonly from: RecordState; readonly to: RecordStatus }
  | { readonly ok: false; readonly from: RecordState; readonly refusal: Refusal }

export function transition(from: RecordState, action: RecordAction): Transition {
  const step = TRANSITIONS[from][action]
  return step.ok ? { ok: true, from, to: step.to } : { ok: false, from, refusal: step.refusal }
}

export function stateOf(metadata: { readonly status: RecordStatus } | null): RecordState {
  return metadata === null ? 'absent' : metadata.status
}
