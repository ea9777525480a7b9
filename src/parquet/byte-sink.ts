const FIRST_BYTES = 64 * 1024

/** Bytes of a row group as they come, in one array that can be handed to another thread. */
export class ByteSink {
  private buffer: Uint8Array<ArrayBuffer>
  length = 0

  /** `room`: an array to begin with, whatever it holds, or how many bytes will probably come. */
  constructor(room: ArrayBuffer | number = FIRST_BYTES) {
    this.buffer = typeof room === 'number' ? new Uint8Array(room) : new Uint8Array(room)
  }

  /** Makes sure of room for so many bytes more, where they can be foreseen: growing by steps copies again and again. */
  reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return
    const larger = new Uint8Array(Math.max(Math.ceil(this.buffer.length * 1.5), this.length + bytes))
    larger.set(this.buffer.subarray(0, this.length))
    this.buffer = larger
  }

  get roomBytes(): number {
    return this.buffer.length
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Leaves a gap, for `fill` to fill; returns where it begins. */
  leave(bytes: number): number {
    this.reserve(bytes)
    this.length += bytes
    return this.length - bytes
  }

  fill(at: number, bytes: Uint8Array): void {
    this.buffer.set(bytes, at)
  }

  /** All of them. What is appended later may not show in it. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length)
  }
}
