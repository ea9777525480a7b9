import { child, run } from './measure.js'

export interface SyncLoad {
  /** Where the files go: on the disk that is measured. */
  readonly folder: string
  /** Drops, or records: each with a folder of its own, and its fsyncs one after the other. */
  readonly units: number
  readonly syncsPerUnit: number
  readonly unitsInFlight: number
  /** Threads that wait for the disk; as many as units in flight unless given. Node has four if nobody says otherwise. */
  readonly threads?: number
}

/** Seconds that the fsyncs alone take on this disk. */
export async function syncFloorSeconds(load: SyncLoad): Promise<number> {
  const { folder, units, syncsPerUnit, unitsInFlight, threads = unitsInFlight } = load
  const { stdout } = await run({
    command: [child('sync-floor'), folder, String(units), String(syncsPerUnit), String(unitsInFlight)],
    env: { UV_THREADPOOL_SIZE: String(threads) },
  })
  return Number(stdout)
}

export const NODE_THREADS = 4
