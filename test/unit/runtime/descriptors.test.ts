import { describe, expect, test } from 'vitest'
import { openFilesLimit, withinDescriptors } from '../../../src/runtime/descriptors.js'
import { nodeFiles } from '../../../src/runtime/files.js'

const saying = (text: string | null): Parameters<typeof openFilesLimit>[0] => ({
  ...nodeFiles,
  read: async () => (text === null ? null : Buffer.from(text)),
})
const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             96165                96165                processes
Max open files            64                   1048576              files
Max locked memory         65536                65536                bytes
`

describe('the limit on open files', () => {
  test('is the soft one', async () => {
    expect(await openFilesLimit(saying(LIMITS))).toBe(64)
  })

  test.each([
    ['no such file', null],
    ['nothing in it', ''],
    ['none', LIMITS.replace('64  ', 'unlimited')],
  ])('is none with %s', async (_, text) => {
    expect(await openFilesLimit(saying(text))).toBe(Number.POSITIVE_INFINITY)
  })

  test('is none where it may not be read; defects are not hidden', async () => {
    const failing = (error: Error) => ({ ...nodeFiles, read: () => Promise.reject(error) })
    expect(await openFilesLimit(failing(Object.assign(new Error('no'), { code: 'EACCES' })))).toBe(Number.POSITIVE_INFINITY)
    await expect(openFilesLimit(failing(new TypeError('a defect')))).rejects.toThrow('a defect')
  })
})

describe('what is begun at once', () => {
  test.each([
    [Number.POSITIVE_INFINITY, 64],
    [1024, 64],
    [256, 41],
    [64, 3],
    [40, 2],
    [0, 2],
  ])('with %d descriptors, 64 become %d', (openFiles, most) => {
    expect(withinDescriptors(openFiles, 64)).toBe(most)
  })

  test('is never more than was wanted', () => {
    expect(withinDescriptors(64, 1)).toBe(1)
    expect(withinDescriptors(1024, 5)).toBe(5)
  })
})
