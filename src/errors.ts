/**
 * The one closed set of error codes. A code is API: it appears in receipts, reports, logs and `--json` output and never changes its
 * meaning. `exit` is the status a verb ends with when the error stops it (README, "Exit codes"); `hint` says what to do next.
 */
const define = <T extends Record<string, { exit: number; hint: string }>>(table: T): T => table

export const ERRORS = define({
  // The command line and its surroundings
  USAGE: { exit: 2, hint: 'Run the verb with --help to see its arguments.' },
  INTERNAL: { exit: 1, hint: 'This is a defect in parquet-intake. Keep the log and report it; nothing was committed.' },
  IO_FAILED: { exit: 1, hint: 'Look at the path and the operating system error in the message, mend it, and run again.' },
  FSYNC_FAILED: {
    exit: 75,
    hint: 'The disk refused to make a write durable. Check the disk, then start again: recovery redoes the work from the source.',
  },
  DISK_FULL: { exit: 75, hint: 'Free some space on the file system named in the message; intake resumes by itself.' },
  RESOURCES_EXHAUSTED: {
    exit: 75,
    hint: 'The process has as many files open, or the machine as little memory left, as it may have. Raise the limit (LimitNOFILE, `ulimit -n`), or lower dropsInFlight or convert.threads; intake goes on by itself.',
  },
  CONFIG_NOT_FOUND: { exit: 78, hint: 'Make a workspace with `parquet-intake init DIR`, or name its file with --config.' },
  CONFIG_INVALID: { exit: 78, hint: 'Mend every problem listed and start again; nothing was changed.' },
  // The store
  NO_STORE: { exit: 10, hint: 'Make a workspace with `parquet-intake init DIR`, or name the right one with --config.' },
  STORE_LOCKED: { exit: 11, hint: 'Another process writes to this store. Stop it first, or drop the file into its inbox instead.' },
  LOCK_UNAVAILABLE: { exit: 78, hint: 'Install `flock` (util-linux or busybox): the store is never opened for writing without a lock.' },
  STORE_IDENTITY_MISSING: {
    exit: 1,
    hint: 'store.json is gone though records exist. Put it back from a backup: a new one would break every history chain.',
  },
  STORE_INVALID: { exit: 1, hint: 'Run `parquet-intake verify`; put the damaged document back from a backup.' },
  STORE_CONFLICT: { exit: 75, hint: 'Someone else changed the record meanwhile. Try again.' },
  STORE_UNAVAILABLE: {
    exit: 75,
    hint: 'The object storage did not answer, or not in time. Look at the endpoint and the network; what waits goes on by itself.',
  },
  FILE_EXISTS: { exit: 1, hint: 'Nothing is ever overwritten here: choose another path.' },
  PATH_ILLEGAL: { exit: 2, hint: 'A path is absolute, or relative to basePath without ".." and outside the folders of the store.' },
  PARQUET_INVALID: { exit: 1, hint: 'The file is damaged or not Parquet. Run `parquet-intake verify` and put it back from a backup.' },
  FILTER_INVALID: { exit: 2, hint: 'A filter compares one column with a value of its type; see RowFilter.' },
  // Record rules
  RECORD_EXISTS: { exit: 1, hint: 'Use updateRecord to add a version.' },
  RECORD_NOT_FOUND: { exit: 1, hint: '`parquet-intake records` lists what there is.' },
  VERSION_NOT_FOUND: { exit: 1, hint: '`parquet-intake history ID` lists the versions.' },
  ALREADY_APPROVED: { exit: 4, hint: 'Nothing to do: this version is approved.' },
  ALREADY_REJECTED: { exit: 4, hint: 'Nothing to do: this version is rejected. Send an update to go on.' },
  CANNOT_APPROVE_REJECTED: { exit: 4, hint: 'Update the record first; the new version can be approved.' },
  CANNOT_REJECT_APPROVED: { exit: 4, hint: 'Update the record first; the new version can be rejected.' },
  RECORD_ID_ILLEGAL: {
    exit: 1,
    hint: 'A record id is 1 to 4 segments joined by "/", each [A-Za-z0-9][A-Za-z0-9._-]{0,127}, none of them "versions" or "metadata.json". Rename the file or mend the cell.',
  },
  TABLE_MISMATCH: {
    exit: 1,
    hint: 'The record belongs to another table. Use another record id, or drop the file where that table is taken.',
  },
  SOURCE_MISMATCH: {
    exit: 1,
    hint: 'The record belongs to another source. Use another record id, or drop the file where that source looks.',
  },
  COMMENT_INVALID: { exit: 1, hint: 'A comment is at most 512 bytes of UTF-8 without control characters.' },
  ACTOR_INVALID: { exit: 1, hint: 'Who acted is 1 to 128 bytes of UTF-8 without control characters.' },
  DECISION_REQUIRED: { exit: 4, hint: 'This store takes signed decisions only: pass `decision`, or use `parquet-intake approve`.' },
  // Tables
  TABLE_UNKNOWN: { exit: 1, hint: 'The tables are the files of config/tables; the name is the file name without .json.' },
  TABLE_INVALID: { exit: 78, hint: 'Mend the table schema: it is a Frictionless Table Schema document.' },
  // What a file can have wrong as a whole
  EMPTY_FILE: { exit: 3, hint: 'The file has no bytes. Export it again.' },
  HEADER_ONLY: { exit: 3, hint: 'The file has a header but no data rows. Export it again with its rows.' },
  BLANK_HEADER: { exit: 3, hint: 'The header row is empty. The first row must hold the column names.' },
  BLANK_LABEL: { exit: 3, hint: 'A column has no name. Name every column of the header.' },
  DUPLICATE_COLUMN: { exit: 3, hint: 'Two columns have one name. Remove or rename one of them.' },
  MISSING_COLUMN: { exit: 3, hint: 'A required column is not in the header. Add it, or mend its spelling.' },
  UNKNOWN_COLUMN: { exit: 3, hint: 'The table does not know this column. Remove it, or mend its spelling.' },
  INCORRECT_COLUMN: { exit: 3, hint: 'The header must name the columns of the table in their order.' },
  NOT_UTF8: { exit: 3, hint: 'Save the file as UTF-8, or declare its encoding in the dialect of the source.' },
  NUL_BYTE: { exit: 3, hint: 'The file holds NUL bytes: it is not text, or it was cut off while being written. Export it again.' },
  QUOTE_NOT_CLOSED: { exit: 3, hint: 'A quoted cell that starts in the line named is never closed. Close the quote.' },
  QUOTE_MISPLACED: {
    exit: 3,
    hint: 'A quote stands inside an unquoted cell, or text follows a closing quote. Quote the whole cell and double the quotes in it.',
  },
  LIMIT_EXCEEDED: { exit: 3, hint: 'The file is larger than a limit allows. Split it, or raise the limit in the configuration.' },
  // What a row or a cell can have wrong
  RAGGED_ROW: { exit: 3, hint: 'The row has more or fewer cells than the header. Look for a missing or extra delimiter.' },
  TYPE_ERROR: { exit: 3, hint: 'The cell does not have the type of its column. Mend the cell.' },
  CONSTRAINT_ERROR: { exit: 3, hint: 'The cell breaks a constraint of its column. Mend the cell.' },
  UNIQUE_ERROR: { exit: 3, hint: 'The value stands in an earlier row of the same record already. Remove one of them.' },
  PRIMARY_KEY_ERROR: { exit: 3, hint: 'The key stands in an earlier row of the same record already, or a part of it is missing.' },
  // Claims, sidecars and manifests
  SYMLINK: { exit: 3, hint: 'Symbolic links are not followed. Copy the file itself into the inbox.' },
  FIFO: { exit: 3, hint: 'A named pipe is not a file. Write a regular file into the inbox.' },
  SOCKET: { exit: 3, hint: 'A socket is not a file. Write a regular file into the inbox.' },
  DEVICE: { exit: 3, hint: 'A device is not a file. Write a regular file into the inbox.' },
  NOT_A_FILE: { exit: 3, hint: 'A directory has the name of a drop. Rename it; files inside are looked at on their own.' },
  NO_SOURCE: { exit: 3, hint: 'No source matches this name. Move the file, or add a source to the configuration.' },
  STILL_GROWING: { exit: 3, hint: 'The file still changes. It is taken once it has been still for settleMs.' },
  SIDECAR_MISSING: { exit: 3, hint: 'The source asks for a file beside this one. Write it last.' },
  SIDECAR_INVALID: { exit: 3, hint: 'The sidecar is not of its form: a .sha256 file starts with 64 hex digits.' },
  SIDECAR_MISMATCH: { exit: 3, hint: 'The bytes are not those the sidecar names: the transfer was damaged. Send both again.' },
  MANIFEST_INVALID: { exit: 3, hint: 'Mend the manifest: {"record_id", "comment"?, "sha256"?, "rows"?, "created_by"?}.' },
  ROW_COUNT_MISMATCH: { exit: 3, hint: 'The file has another number of rows than its manifest says. Send both again.' },
  CREATED_BY_NOT_ALLOWED: { exit: 3, hint: 'The source does not allow this created_by. Add it to allowedCreatedBy, or leave it out.' },
  CHANGED_DURING_CLAIM: { exit: 3, hint: 'The file changed while it was taken; it goes back and is taken again when it is still.' },
  UNREADABLE: {
    exit: 3,
    hint: 'The daemon may not read or move this file. Give its user the rights to the file and its folder; it is tried again by itself.',
  },
  CLAIM_STRANDED: {
    exit: 3,
    hint: 'A file was taken before and its folder in state/claims does not fit it any more. Look at both; rename the file to its own name to have it taken again.',
  },
  DROP_NOT_FOUND: { exit: 1, hint: '`parquet-intake receipts` lists the drops.' },
  // Conversion
  VERIFY_MISMATCH: {
    exit: 1,
    hint: 'The finished Parquet file did not read back equal. Nothing was committed. Keep the drop and report this.',
  },
  WORKER_FAILED: {
    exit: 1,
    hint: 'The conversion worker stopped. The drop is kept; use `parquet-intake requeue` once the cause is mended.',
  },
  ABORTED: { exit: 75, hint: 'The work was stopped before it was done; it is taken up again at the next start.' },
  POISON: { exit: 3, hint: 'Converting this drop alone stopped the process three times. Look at the file; `requeue` tries again.' },
  // Decisions
  DECISION_MALFORMED: {
    exit: 4,
    hint: 'The file is not a JWS in General JSON Serialization with a decision as payload. Sign it with `parquet-intake approve`, and rename it into place when it is whole.',
  },
  DECISION_UNSIGNED: { exit: 4, hint: 'A decision needs a signature. Sign it with `parquet-intake approve`.' },
  DECISION_SIGNATURES: { exit: 4, hint: 'A decision carries exactly one signature. Write one file per approver.' },
  DECISION_HEADER: { exit: 4, hint: 'The protected header holds alg (Ed25519), kid and typ, and nothing else.' },
  DECISION_SIGNATURE_INVALID: { exit: 4, hint: 'The signature does not hold. Sign the decision again with the right key.' },
  DECISION_REPLAYED: { exit: 4, hint: 'This decision_id was used with another content. Sign a new decision.' },
  DECISION_STORE_MISMATCH: { exit: 4, hint: 'The decision was signed for another store.' },
  DECISION_RECORD_UNKNOWN: { exit: 4, hint: 'The store has no such record. `parquet-intake records` lists them.' },
  DECISION_VERSION_MISMATCH: {
    exit: 4,
    hint: 'The decision is about another version than the current one. Look at what changed and sign again.',
  },
  DECISION_HASH_MISMATCH: { exit: 4, hint: 'The decision is about other bytes than the current version holds. Look at it and sign again.' },
  DECISION_PRINCIPAL_MISMATCH: { exit: 4, hint: 'decided_by is not the principal of the key that signed.' },
  DECISION_SELF_APPROVAL: { exit: 4, hint: 'Who made a version may not approve it. Ask another approver.' },
  DECISION_ENTRY_MISMATCH: {
    exit: 4,
    hint: 'The signed decision kept in this history entry says something else than the entry. Put metadata.json back from a backup.',
  },
  KEY_UNKNOWN: { exit: 4, hint: 'The keyring does not hold this key. Add its public half to the keyring.' },
  KEY_EXPIRED: { exit: 4, hint: 'The key has ended. Sign with a valid key.' },
  KEY_NOT_YET_VALID: { exit: 4, hint: 'The key is not valid yet. Check the clock, or sign with a valid key.' },
  KEY_REVOKED: { exit: 4, hint: 'The key was revoked. Sign with a valid key.' },
  KEY_TABLE_FORBIDDEN: { exit: 4, hint: 'The key may not decide on records of this table.' },
  KEY_INVALID: { exit: 78, hint: 'The key is not a usable Ed25519 key. Make one with `parquet-intake keygen`.' },
  KEYRING_INVALID: { exit: 78, hint: 'Mend the keyring: a JWKS with an integer "version" whose keys carry kid, principal and tables.' },
  KEYRING_ROLLED_BACK: {
    exit: 78,
    hint: 'The keyring is older than one seen before. Put the newest one back; each change raises its version.',
  },
})

export type ErrorCode = keyof typeof ERRORS

/** An operating error: something outside the program is wrong and a person can mend it. Programmer errors are plain `Error`s. */
export class IntakeError extends Error {
  override readonly name = 'IntakeError'
  readonly code: ErrorCode
  readonly hint: string
  /** Facts for machines; never cell values or secrets. */
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: { data?: Record<string, unknown>; cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint ?? ERRORS[code].hint
    this.data = options.data ?? {}
  }

  get exitStatus(): number {
    return ERRORS[this.code].exit
  }
}

export function isIntakeError(error: unknown, ...codes: ErrorCode[]): error is IntakeError {
  return error instanceof IntakeError && (codes.length === 0 || codes.includes(error.code))
}

/** A programmer error: an assumption of the code does not hold. It is not caught and stops the process. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}

/** The operating system's error code ("ENOENT", …) of a thrown value, or null. */
export function systemCodeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null
}

/** What the operating system says when it has no descriptor or no memory left to give. */
const EXHAUSTED = ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS']

/** The error of the system itself, or as it came back from another thread. */
export function isExhausted(error: unknown): boolean {
  return isIntakeError(error, 'RESOURCES_EXHAUSTED') || EXHAUSTED.includes(systemCodeOf(error) ?? '')
}
