import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { Suspects } from '../../../src/coordinator/suspects.js'
import { formatDropId } from '../../../src/core/drop-id.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const id = (n: number): string => formatDropId(1_700_000_000_000, n, '0123456789abcdef')
let path: string
beforeEach(async () => {
  path = join(await temporaryFolder(), 'converting')
})

const named = (): string[] =>
  readFileSync(path, 'latin1')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
const open = (...claimed: string[]): Promise<Suspects> => Suspects.open(nodeFiles, path, new Set(claimed))

test('the file names what is being converted, as long as it is', async () => {
  const suspects = await open()
  let inside: string[] = []
  await suspects.converting(id(1), () =>
    suspects.converting(id(2), async () => {
      inside = named()
    }),
  )
  expect(inside).toEqual([id(1), id(2)])
  await suspects.close()
  expect(named()).toEqual([])
})

test('also when the conversion throws', async () => {
  const suspects = await open()
  await expect(suspects.converting(id(1), () => Promise.reject(new Error('stopped')))).rejects.toThrow('stopped')
  await suspects.close()
  expect(named()).toEqual([])
})

test('what was being converted at an end nobody asked for is suspected, unless it is no claim any more', async () => {
  const before = await open()
  void before.converting(id(1), () => new Promise(() => {}))
  void before.converting(id(2), () => new Promise(() => {}))
  const after = await open(id(1), id(3))
  expect([1, 2, 3].map((n) => after.has(id(n)))).toEqual([true, false, false])
  expect(named()).toEqual([id(1)])
})

test('a suspect stays one through further starts until it is cleared', async () => {
  const first = await open()
  await first.suspect(id(1))
  const second = await open(id(1))
  // Others come and go beside it.
  await second.converting(id(2), async () => {})
  const third = await open(id(1))
  expect(third.has(id(1))).toBe(true)
  third.clear(id(1))
  await third.close()
  expect(third.has(id(1))).toBe(false)
  expect((await open(id(1))).has(id(1))).toBe(false)
})

test('one that becomes a suspect while it is converted keeps its line', async () => {
  const suspects = await open()
  await suspects.converting(id(1), () => suspects.suspect(id(1)))
  expect(named()).toEqual([id(1)])
})

test('lines are used again', async () => {
  const suspects = await open()
  for (let n = 0; n < 100; n++) await suspects.converting(id(n), async () => {})
  await suspects.close()
  expect(readFileSync(path).length).toBe(64)
})

test.for([['nothing we wrote\n'], ['\0'.repeat(200)], [`${id(1)}`], [`x${id(1)}\n${id(2).slice(0, 20)}\n`]])(
  'a file that is torn or no file of ours, %j, suspects nobody that it does not name',
  async ([text]) => {
    writeFileSync(path, text!, 'latin1')
    const suspects = await open(id(1), id(2))
    expect(suspects.has(id(2))).toBe(false)
    expect(suspects.has(id(1))).toBe(text === id(1))
  },
)

test('one suspect runs after another, also when one fails', async () => {
  const suspects = await open()
  const steps: string[] = []
  const step = (name: string, fails: boolean) => async (): Promise<void> => {
    steps.push(`${name} begins`)
    await new Promise((resolve) => setImmediate(resolve))
    steps.push(`${name} ends`)
    if (fails) throw new Error(name)
  }
  await Promise.allSettled([suspects.alone(step('a', false)), suspects.alone(step('b', true)), suspects.alone(step('c', false))])
  expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})
