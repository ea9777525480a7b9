import { assert } from '../errors.js'

/** How the record of a drop is found, as far as it is known when the drop is claimed. */
export type OrderingFacts =
  | { readonly kind: 'decision'; readonly dropId: string }
  /** The record is known from the path or the manifest. */
  | { readonly kind: 'record'; readonly recordId: string }
  /** A column names the records, or the record could not be told: all drops of the source keep their order. */
  | { readonly kind: 'source'; readonly source: string }

/**
 * Drops of one key commit in drop-id order, whichever is staged first; other keys never wait for each other. A decision waits for
 * nobody here: it enters the queue of its record when it is received.
 */
export function orderingKeyOf(facts: OrderingFacts): string {
  switch (facts.kind) {
    case 'decision':
      return `decision:${facts.dropId}`
    case 'record':
      return `record:${facts.recordId}`
    case 'source':
      return `source:${facts.source}`
  }
}

interface Place<T> {
  readonly key: string
  readonly dropId: string
  readonly item: T
  state: 'waiting' | 'ready' | 'running'
}

/**
 * One lane per ordering key, in drop-id order; only the head of a lane runs, and only once it is ready. Pure bookkeeping: whoever calls
 * `ready` or `leave` starts the item that comes back, if any.
 */
export class OrderedLanes<T> {
  private readonly lanes = new Map<string, Place<T>[]>()
  private readonly places = new Map<string, Place<T>>()

  get size(): number {
    return this.places.size
  }

  /** Takes a place as soon as the drop is claimed, long before it is staged. An earlier drop takes its place before later ones that do not run yet. */
  enter(key: string, dropId: string, item: T): void {
    assert(!this.places.has(dropId), `${dropId} has a place already`)
    const place: Place<T> = { key, dropId, item, state: 'waiting' }
    this.places.set(dropId, place)
    const lane = this.lanes.get(key)
    if (lane === undefined) {
      this.lanes.set(key, [place])
      return
    }
    let at = lane.length
    while (at > 0 && lane[at - 1]!.dropId > dropId && lane[at - 1]!.state !== 'running') at--
    lane.splice(at, 0, place)
  }

  /** The item can run. Returns it if its turn has come; otherwise `leave` of the one before will. */
  ready(dropId: string): T | null {
    const place = this.placeOf(dropId)
    assert(place.state === 'waiting', `${dropId} is ${place.state} already`)
    place.state = 'ready'
    return this.turnOf(place.key)
  }

  /** The item is done, or needs no turn (it is quarantined): from any position. Returns the item whose turn has come by that, if any. */
  leave(dropId: string): T | null {
    const place = this.placeOf(dropId)
    this.places.delete(dropId)
    const lane = this.lanes.get(place.key)!
    lane.splice(lane.indexOf(place), 1)
    if (lane.length === 0) this.lanes.delete(place.key)
    return this.turnOf(place.key)
  }

  has(dropId: string): boolean {
    return this.places.has(dropId)
  }

  /** The drop that this one waits for; null at the head of its lane. */
  waitsFor(dropId: string): string | null {
    const place = this.placeOf(dropId)
    const head = this.lanes.get(place.key)![0]!
    return head === place ? null : head.dropId
  }

  private turnOf(key: string): T | null {
    const head = this.lanes.get(key)?.[0]
    if (head === undefined || head.state !== 'ready') return null
    head.state = 'running'
    return head.item
  }

  private placeOf(dropId: string): Place<T> {
    const place = this.places.get(dropId)
    assert(place !== undefined, `${dropId} has no place`)
    return place
  }
}
