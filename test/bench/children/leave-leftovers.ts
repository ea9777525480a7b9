import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InProcessConverter } from '../../../src/convert/in-process.js'
import { formatDropId } from '../../../src/core/drop-id.js'
import { metadataKey } from '../../../src/core/object-keys.js'
import { runDaemon } from '../../../src/daemon.js'
import { decisionFileBytes, loadPrivateKey, signDecision } from '../../../src/decisions/sign.js'
import { recordMetadata, storeIdentity, type VersionEntry } from '../../../src/documents/metadata.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { silentLogger } from '../../../src/runtime/logger.js'
import { SignalState } from '../../../src/runtime/shutdown.js'
import { loadWorkspace } from '../../../src/runtime/workspace.js'
import { CutFiles } from '../cut-files.js'
import { fillStore } from '../fill-store.js'
import { writeShape } from '../generate.js'
import { run } from '../measure.js'
import { mixed } from '../shapes/mixed.js'
import { makeWorkspace, once } from '../workspace.js'

/**
 * `node leave-leftovers.js ROOT RECORDS LEFTOVERS`: makes a workspace with so many records, lets a daemon begin with so many drops and
 * decisions, each of which stops at another of its steps, and kills itself with SIGKILL. Beside them lies what ends leave that come sooner
 * than the first step: empty folders and loose temporary files. The same numbers give the same steps.
 *
 * Of each ten one is a decision, four are new versions, five are new records.
 */
const [root, recordsText, leftoversText] = process.argv.slice(2) as [string, string, string]
const records = Number(recordsText)
const leftovers = Number(leftoversText)
/** A drop of a new record changes the disk about so often from its drop.json to its end. */
const STEPS = 40
const ROWS = 10
/** Nothing has moved for so long: whoever is still to die has died. */
const QUIET_MS = 400

const padded = (n: number): string => String(n).padStart(6, '0')
const nameOf = (n: number): string => (n % 10 === 0 ? `signed-${padded(n)}` : n % 2 === 0 ? `log-${padded(n)}` : `new-${padded(n)}`)

const workspace = await makeWorkspace(root)
const lab = join(workspace.inbox, 'lab')
mkdirSync(lab, { recursive: true })
await writeShape(join(lab, 'model.csv'), mixed, ROWS)
await run(once(workspace))
fillStore(workspace.store, 'model', (n) => (n < leftovers && nameOf(n).startsWith('signed-') ? nameOf(n) : `log-${padded(n)}`), records)

const config = JSON.parse(readFileSync(workspace.configFile, 'utf8')) as Record<string, unknown>
config.limits = { dropsInFlight: leftovers + 1 }
writeFileSync(workspace.configFile, JSON.stringify(config, null, 2))

const identity = storeIdentity.parse(JSON.parse(readFileSync(join(workspace.store, 'store.json'), 'utf8')))
const keys = join(root, 'keys')
const keyFile = readdirSync(keys).find((name) => name.endsWith('.jwk.json'))!
const key = await loadPrivateKey(nodeFiles, join(keys, keyFile))
mkdirSync(join(root, 'decisions'), { recursive: true })
for (let n = 0; n < leftovers; n++) {
  const name = nameOf(n)
  if (!name.startsWith('signed-')) {
    await writeShape(join(lab, `${name}.csv`), mixed, ROWS, n + 2)
    continue
  }
  const { history } = recordMetadata.parse(JSON.parse(readFileSync(join(workspace.store, metadataKey(name)), 'utf8')))
  const signed = await signDecision(
    {
      decision_id: randomUUID(),
      store_id: identity.store_id,
      record_id: name,
      version: 1,
      parquet_sha256: (history[0] as VersionEntry).parquet_sha256,
      decision: n % 20 === 0 ? 'approve' : 'reject',
      comment: '',
      decided_by: key.principal,
      decided_at: new Date().toISOString(),
    },
    key,
  )
  writeFileSync(join(root, 'decisions', `${name}.decision.json`), decisionFileBytes(signed))
}

// Steps are spread over all kinds alike: n and n + 10 are the same kind.
const cut = new CutFiles(nodeFiles, (name) => {
  const n = Number(name.slice(name.indexOf('-') + 1))
  if (n >= leftovers || nameOf(n) !== name) return null
  const turn = Math.floor(n / 10)
  return { changes: 1 + ((turn * 7 + n) % STEPS), torn: turn % 2 === 1 }
})
let receipts = 0
void runDaemon({
  workspace: await loadWorkspace({ files: nodeFiles, cwd: root, env: {}, configPath: workspace.configFile }),
  files: cut.files,
  clock: systemClock,
  logger: silentLogger,
  signals: new SignalState(),
  pid: process.pid,
  version: '0',
  randomUuid: randomUUID,
  randomHex: (bytes) => randomBytes(bytes).toString('hex'),
  once: false,
  onReceipt: () => void receipts++,
  logReceipts: false,
  // Threads of a pool know nothing of cuts, and what they convert at the end would be suspected of it: that is no recovery, but work.
  converter: new InProcessConverter(nodeFiles),
})
let moved = { at: Date.now(), dead: 0, receipts: 0 }
while (cut.dead.size + receipts < leftovers && Date.now() - moved.at < 10_000) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  if (cut.dead.size !== moved.dead || receipts !== moved.receipts) moved = { at: Date.now(), dead: cut.dead.size, receipts }
}
await new Promise((resolve) => setTimeout(resolve, QUIET_MS))

// Before its drop.json has a name a claim is an empty folder; the same of a commit before its Parquet file.
const loose = Math.ceil(leftovers / 100)
const began = Date.now()
for (let n = 0; n < loose; n++) {
  const id = formatDropId(began, 900_000 + n, '00000000000000aa')
  mkdirSync(join(root, 'state', 'claims', id))
  mkdirSync(join(workspace.store, 'staging', `${id}-00000000000000bb`))
  writeFileSync(join(workspace.store, 'staging', `${id}.tmp`), '{"half')
}
process.stdout.write(`${JSON.stringify({ left: cut.dead.size, done: receipts, loose: 3 * loose })}\n`, () =>
  process.kill(process.pid, 'SIGKILL'),
)
