/**
 * Stands in for `vitest` where a mutant is judged: the same tests, in one process and in order, until the first one fails. Starting vitest
 * for each of thousands of mutants would take a second of processor time each; most tests here take some milliseconds.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect'

type Work = (...values: never[]) => unknown
type Hook = () => unknown

interface Suite {
  readonly parent: Suite | null
  readonly steps: ({ readonly name: string; readonly run: Hook } | Suite)[]
  readonly before: Hook[]
  readonly after: Hook[]
  readonly beforeEach: Hook[]
  readonly afterEach: Hook[]
}

const suiteIn = (parent: Suite | null): Suite => ({ parent, steps: [], before: [], after: [], beforeEach: [], afterEach: [] })
const root = suiteIn(null)
let open = root

function declareSuite(_name: string, body: () => void): void {
  const suite = suiteIn(open)
  open.steps.push(suite)
  open = suite
  try {
    body()
  } finally {
    open = suite.parent!
  }
}

function declareTest(name: string, first: Hook | object, second?: Hook | number): void {
  const run = typeof first === 'function' ? first : second
  open.steps.push({ name, run: run as Hook })
}

const each =
  (declare: (name: string, body: Hook) => void, spread: boolean) =>
  (rows: readonly unknown[]) =>
  (name: string, first: Work | object, second?: Work): void => {
    const work = (typeof first === 'function' ? first : second) as (...values: unknown[]) => unknown
    rows.forEach((row, i) => void declare(`${name} #${i}`, () => work(...(spread && Array.isArray(row) ? row : [row]))))
  }

export const describe = Object.assign(declareSuite, { each: each(declareSuite as (name: string, body: Hook) => void, true) })
export const it = Object.assign(declareTest, { each: each(declareTest, true), for: each(declareTest, false) })
export const test = it
export const beforeAll = (hook: Hook): void => void open.before.push(hook)
export const afterAll = (hook: Hook): void => void open.after.push(hook)
export const beforeEach = (hook: Hook): void => void open.beforeEach.push(hook)
export const afterEach = (hook: Hook): void => void open.afterEach.push(hook)

const finishing: Hook[] = []
export const onTestFinished = (hook: Hook): void => void finishing.push(hook)

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)
const asserting = ((value: unknown, message?: string) => chai.expect(value, message)) as unknown as Chai.ExpectStatic &
  Record<string, unknown>
Object.assign(asserting, chai.expect, (globalThis as Record<symbol, unknown>)[ASYMMETRIC_MATCHERS_OBJECT])
Object.assign(asserting, {
  fail: (message?: string) => chai.assert.fail(message ?? 'expect.fail()'),
  unreachable: (message?: string) => chai.assert.fail(message ?? 'expect.unreachable()'),
  isDeepStrictEqual,
})
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: asserting, writable: true, configurable: true })
setState(
  {
    assertionCalls: 0,
    isExpectingAssertions: false,
    isExpectingAssertionsError: null,
    expectedAssertionsNumber: null,
    expectedAssertionsNumberErrorGen: null,
  } as never,
  asserting as never,
)
export const expect = asserting

/** The name of the first test that fails and why, or null. */
export async function runTests(): Promise<{ readonly name: string; readonly why: string } | null> {
  return runSuite(root, [], [])
}

async function runSuite(suite: Suite, before: readonly Hook[], after: readonly Hook[]): Promise<{ name: string; why: string } | null> {
  const beforeTests = [...before, ...suite.beforeEach]
  const afterTests = [...suite.afterEach, ...after]
  let name = 'beforeAll'
  try {
    for (const hook of suite.before) await hook()
    for (const step of suite.steps) {
      if ('steps' in step) {
        const failed = await runSuite(step, beforeTests, afterTests)
        if (failed !== null) return failed
        continue
      }
      name = step.name
      try {
        for (const hook of beforeTests) await hook()
        await step.run()
      } finally {
        for (const hook of [...finishing.splice(0).reverse(), ...afterTests]) await hook()
      }
    }
    return null
  } catch (error) {
    return { name, why: String(error instanceof Error ? error.message : error).slice(0, 200) }
  } finally {
    for (const hook of suite.after) await hook()
  }
}
