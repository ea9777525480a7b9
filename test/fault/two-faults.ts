import type { PowerCut } from './disk.js'
import type { Fault } from './disk-files.js'

/**
 * What an end, and mostly a second fault after it, once undid: each of these had lost, doubled or rewritten something. `on` names the operation, so that they strike the same
 * place when others come and go around it.
 */
const power = (on: RegExp, at = 1): Fault => ({ kind: 'power', at, on })
const kill = (on: RegExp, at = 1): Fault => ({ kind: 'kill', at, on })
const io = (on: RegExp, at = 1): Fault => ({ kind: 'io', at, on })
const denied = (on: RegExp, at = 1): Fault => ({ kind: 'denied', at, on })
const full = (on: RegExp, at = 1): Fault => ({ kind: 'full', at, on })
const descriptors = (on: RegExp, at = 1): Fault => ({ kind: 'descriptors', at, on })

const STAGED = /data\.parquet$/

export const TWO_FAULTS: readonly {
  readonly rule: string
  readonly scenario: string
  readonly faults: readonly (readonly Fault[])[]
  readonly cuts?: readonly PowerCut[]
}[] = [
  {
    rule: 'a store that was found is durable before anything is chained to it',
    scenario: 'quarantine of a drop',
    faults: [[kill(/^syncDirectory \/ws\/store$/)]],
  },
  {
    rule: 'a drop whose version is visible is not quarantined when it cannot be converted again: one record',
    scenario: 'create',
    faults: [[kill(/^makeDirectory .*receipts\/\d/)], [io(STAGED)]],
  },
  {
    rule: 'a drop whose version is visible is not quarantined when its copy cannot be read again',
    scenario: 'update',
    faults: [[io(/^remove .*staging.*data\.parquet$/)], [denied(/^openRead .*source\.csv$/)]],
  },
  {
    rule: 'a drop whose versions are visible is not quarantined when it cannot be converted again: several records',
    scenario: 'several records of one drop, one of them new, one unchanged',
    faults: [[power(/^overwrite .*receipts\//)], [denied(/^(create|makeDirectory) .*staging/)]],
  },
  {
    rule: 'nor a drop of which rows were skipped',
    scenario: 'skip-rows',
    faults: [[kill(/^rename .*reason\.txt$/)], [denied(/^(create|makeDirectory) .*staging/)]],
  },
  {
    rule: 'a claim that ends in the midst of giving its file back is not finished as well: killed',
    scenario: 'one record of several held back',
    faults: [[descriptors(/^create .*source\.csv$/), kill(/^remove .*\.claimed$/)]],
  },
  {
    rule: 'a claim that ends in the midst of giving its file back is not finished as well: a power cut',
    scenario: 'duplicate, unchanged and superseded',
    faults: [[full(/^(fileWrite|overwrite) .*copy\.json$/, 2), power(/^remove .*\.claimed$/)]],
    cuts: [{ mode: 'everything', seed: 1 }],
  },
  {
    rule: 'a file that was taken stays taken: its hidden name is durable before anything is committed',
    scenario: 'create',
    faults: [[kill(/^syncDirectory .*inbox\/one$/)], [{ kind: 'abort', at: 1, on: /^syncDirectory .*receipts/ }]],
  },
  {
    rule: 'what an attempt had put into quarantine is not left there when the next one commits',
    scenario: 'update',
    faults: [[io(/^fileRead .*source\.csv$/), kill(/^overwrite .*reason\.txt/)]],
  },
  {
    rule: 'nor a report half written, when the next one has none',
    scenario: 'quarantine of a drop',
    faults: [[io(/^rename .*report\.json$/)], [io(/^fileRead .*source\.csv$/)]],
  },
  {
    rule: 'a report that could not be synced is not what goes to quarantine',
    scenario: 'quarantine of a drop',
    faults: [[full(/^fileSync .*rejects\.csv$/)], [io(/^fileRead .*source\.csv$/, 2)]],
  },
  {
    rule: 'a plan that was found is durable before it is carried out',
    scenario: 'rejection',
    faults: [[kill(/^syncDirectory .*staging\/./)], [{ kind: 'abort', at: 1, on: /^syncDirectory .*records\/a$/ }]],
    cuts: [
      { mode: 'names', seed: 63_565_092 },
      { mode: 'data', seed: 233_154_695 },
      { mode: 'nothing', seed: 0 },
    ],
  },
  {
    rule: 'a file that goes back has its own name durable before it loses the hidden one',
    scenario: 'three drops and a decision at once',
    faults: [[full(/^create .*claims\/[^/]*-000001-[^/]*\/source\.csv$/), power(/.*-000002-.*/, 33)]],
    cuts: [{ mode: 'random', seed: 32 }],
  },
  {
    rule: 'a claim that ends in the midst of giving a sidecar back is not finished as well',
    scenario: 'a drop with sidecars',
    faults: [[full(/^create .*source\.csv\.done$/), power(/^remove .*\.sha256\.claimed$/)]],
    cuts: [{ mode: 'everything', seed: 1 }],
  },
]
