import { describe, expect, test } from 'vitest'
import { BoundedOutput } from '../../../src/runtime/bounded-output.js'

function stream() {
  const lines: string[] = []
  return {
    lines,
    pendingBytes: 0,
    write(line: string): void {
      lines.push(line)
    },
  }
}

describe('output that nobody takes', () => {
  test('is left out beyond the limit, and counted before the next line that fits', () => {
    const to = stream()
    const output: BoundedOutput = new BoundedOutput(to, (lines) => output.write(`lost ${lines}\n`), 100)
    output.write('a\n')
    to.pendingBytes = 101
    for (const line of ['b\n', 'c\n', 'd\n']) output.write(line)
    expect(to.lines).toEqual(['a\n'])
    to.pendingBytes = 0
    output.write('e\n')
    output.write('f\n')
    expect(to.lines).toEqual(['a\n', 'lost 3\n', 'e\n', 'f\n'])
  })

  test('is not left out up to the limit', () => {
    const to = { ...stream(), pendingBytes: 100 }
    const output = new BoundedOutput(to, () => expect.unreachable(), 100)
    output.write('a\n')
    expect(to.lines).toEqual(['a\n'])
  })
})
