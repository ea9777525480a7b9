import { dirname, join } from 'node:path'
import { addToKeyring, loadKeyring } from '../decisions/keyring.js'
import { generateApproverKey, loadPrivateKey, writePrivateKey } from '../decisions/sign.js'
import type { ApproverKey } from '../documents/metadata.js'
import { isActor } from '../documents/text.js'
import { IntakeError } from '../errors.js'
import { makeDirectories, printablePath } from '../runtime/files.js'
import { printable } from '../runtime/printable.js'
import { EXIT, note, printJson, type Verb } from './context.js'
import { renderFacts } from './text-table.js'

export interface KeygenOptions {
  readonly principal: string
  /** undefined: all. */
  readonly tables: readonly string[] | undefined
  /** ISO 8601 day or time; undefined: the key does not end. */
  readonly expires: string | undefined
}

/**
 * A key pair for one approver: the private half into keys/, the public half into the keyring, whose version rises by one.
 *
 * The private half comes first. A crash between the two leaves a key that nobody trusts yet; the same call again puts it into the
 * keyring. FILE_EXISTS when the principal has a key that the keyring knows.
 */
export const keygen: Verb<KeygenOptions> = async (context, options) => {
  const { principal } = options
  if (!isActor(principal) || /[/\\]/.test(principal) || principal.startsWith('.')) {
    throw new IntakeError(
      'USAGE',
      `--principal must be 1 to 128 bytes without control characters, "/" or a leading dot: ${JSON.stringify(principal.slice(0, 200))}`,
    )
  }
  const tables = options.tables ?? ['*']
  if (tables.length === 0) throw new IntakeError('USAGE', '--tables names no table; leave it out to allow all of them')
  const exp = options.expires === undefined ? null : expiryOf(options.expires, context.clock.nowMs())
  const { paths } = await context.workspace()
  const { files } = context

  for (const table of tables) {
    if (table !== '*' && (await files.stat(join(paths.tables, `${table}.json`))) === null) {
      note(context, `Note: there is no table "${printable(table)}" in ${printablePath(paths.tables)}`)
    }
  }
  const keyFile = join(paths.keys, `${principal}.jwk.json`)
  await makeDirectories(files, paths.keys, { mode: 0o700 })
  await makeDirectories(files, dirname(paths.keyring))

  // Before a key is written: one that cannot be published would only be in the way of the next attempt.
  if ((await files.stat(paths.keyring)) !== null) await loadKeyring(files, paths.keyring)
  const present = (await files.stat(keyFile)) !== null
  let publicKey: ApproverKey
  if (present) {
    const { kid, x, principal: owner } = await loadPrivateKey(files, keyFile)
    if (owner !== principal) throw taken(keyFile)
    publicKey = { kty: 'OKP', crv: 'Ed25519', x, kid, principal, tables: [...tables], nbf: null, exp, revoked_at: null }
  } else {
    const made = await generateApproverKey({ principal, tables, exp })
    publicKey = made.publicKey
    await writePrivateKey(files, keyFile, made.privateKey)
  }
  const version = await addToKeyring(files, paths.keyring, publicKey, { unique: context.randomHex(8) })
  if (version === 'present') throw taken(keyFile)
  if (present) note(context, `${printablePath(keyFile)} was there already; its public half was put into the keyring.`)

  if (context.json) {
    printJson(context, { principal, kid: publicKey.kid, key_file: keyFile, keyring: paths.keyring, keyring_version: version, tables, exp })
    return EXIT.done
  }
  context.stdout.write(
    renderFacts([
      ['private key', `${printablePath(keyFile)}  (keep it secret; its owner alone may read it)`],
      ['keyring', `${printablePath(paths.keyring)}  (version ${version})`],
      ['principal', principal],
      ['key id', publicKey.kid],
      ['tables', tables.includes('*') ? 'all' : tables.join(', ')],
      ['ends', exp === null ? 'never' : new Date(exp * 1000).toISOString()],
    ]),
  )
  return EXIT.done
}

function taken(keyFile: string): IntakeError {
  return new IntakeError('FILE_EXISTS', `There is a key at ${printablePath(keyFile)} already`, {
    data: { path: printablePath(keyFile) },
    hint: 'A private key is never overwritten. To replace it, set exp or revoked_at in the keyring, raise its version, move the file away, and run keygen again.',
  })
}

/** Epoch seconds. A day stands for its first instant in UTC. Throws USAGE. */
function expiryOf(text: string, nowMs: number): number {
  const full = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text
  const ms = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.test(full) ? Date.parse(full) : Number.NaN
  // V8 reads 30 February as 1 March: a key must end when its maker says.
  const day = Number(text.slice(8, 10))
  const daysInMonth = new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate()
  if (Number.isNaN(ms) || day > daysInMonth) {
    throw new IntakeError(
      'USAGE',
      `--expires must be a day or a time with its zone, such as 2027-01-31 or 2027-01-31T12:00:00Z: ${JSON.stringify(text.slice(0, 100))}`,
    )
  }
  if (ms <= nowMs) throw new IntakeError('USAGE', `--expires lies in the past: ${text}`)
  return Math.floor(ms / 1000)
}
