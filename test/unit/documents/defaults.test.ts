import { expect, test } from 'vitest'
import { dialectDocument, intakeConfig } from '../../../src/documents/config.js'
import { DEFAULT_CONVERT, DEFAULT_DIALECT, DEFAULT_LIMITS } from '../../../src/documents/defaults.js'

test('the defaults that need no zod are those of the shapes', () => {
  expect(dialectDocument.parse({})).toEqual(DEFAULT_DIALECT)
  const config = intakeConfig.parse({})
  expect(config.convert).toEqual(DEFAULT_CONVERT)
  expect(config.limits).toEqual(DEFAULT_LIMITS)
})
