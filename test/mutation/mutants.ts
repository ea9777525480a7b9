import { parseAst } from 'rolldown/parseAst'

/** One small change of one source. */
export interface Mutant {
  readonly start: number
  readonly end: number
  readonly text: string
  readonly operator: string
  /** Of the place that changes, counting from 1. */
  readonly line: number
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

const BINARY: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
}
const COMPARISONS = new Set(['<', '<=', '>', '>=', '===', '!=='])
const LOGICAL: Readonly<Record<string, string>> = { '&&': '||', '||': '&&', '??': '&&' }
const ASSIGNMENT: Readonly<Record<string, string>> = {
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '/=': '*=',
  '>>=': '<<=',
  '<<=': '>>=',
  '??=': '=',
}
const METHODS: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  toLowerCase: 'toUpperCase',
  toUpperCase: 'toLowerCase',
  find: 'findLast',
  findLast: 'find',
}
/** Calls that are replaced by what they are called on. */
const DROPPED_CALLS = new Set(['filter', 'slice', 'sort', 'reverse', 'trim', 'subarray'])
const RETURNED = new Set(['Identifier', 'CallExpression', 'AwaitExpression', 'MemberExpression', 'NewExpression', 'TSNonNullExpression'])

/**
 * The mutants of a TypeScript source, in the order of their places: the operators of StrykerJS, and removed statements, lost results and
 * lost anchors of patterns besides. Types, imports and the texts of assertions are left alone: nobody but a programmer reads the latter.
 */
export function mutantsOf(source: string): Mutant[] {
  const mutants: Mutant[] = []
  const lineStarts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  const textOf = (node: Node): string => source.slice(node.start, node.end)
  const add = (node: { start: number; end: number }, text: string, operator: string): void => {
    if (source.slice(node.start, node.end) === text) return
    mutants.push({ start: node.start, end: node.end, text, operator, line: lineStarts.findLastIndex((s) => s <= node.start) + 1 })
  }
  const child = (node: Node, name: string): Node => node[name] as Node
  const between = (left: Node, right: Node, operator: string): { start: number; end: number } => {
    const start = source.indexOf(operator, left.end)
    return start < right.start ? { start, end: start + operator.length } : { start: left.end, end: left.end }
  }

  const visit = (node: Node, parent: Node | null, role: string): void => {
    if (
      node.type.startsWith('TS') &&
      !['TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression', 'TSParameterProperty'].includes(node.type)
    )
      return
    if (node.type.startsWith('Import') || node.type === 'ExportAllDeclaration') return
    const isTest = role === 'test' && parent !== null && parent.type !== 'SwitchCase'
    switch (node.type) {
      case 'BinaryExpression': {
        const operator = node.operator as string
        const [left, right] = [child(node, 'left'), child(node, 'right')]
        const isText = [left, right].some((n) => n.type === 'TemplateLiteral' || (n.type === 'Literal' && typeof n.value === 'string'))
        const place = between(left, right, operator)
        if (!(operator === '+' && isText)) for (const other of BINARY[operator] ?? []) add(place, other, `${operator} to ${other}`)
        if (COMPARISONS.has(operator) && !isTest) for (const value of ['true', 'false']) add(node, value, `condition to ${value}`)
        break
      }
      case 'LogicalExpression': {
        const operator = node.operator as string
        const other = LOGICAL[operator]!
        // `a ?? b && c` needs parentheses, and an operand of another kind of operator as well.
        add(node, `((${textOf(child(node, 'left'))}) ${other} (${textOf(child(node, 'right'))}))`, `${operator} to ${other}`)
        if (operator !== '??' && !isTest) for (const value of ['true', 'false']) add(node, value, `condition to ${value}`)
        break
      }
      case 'IfStatement':
      case 'ConditionalExpression':
        for (const value of ['true', 'false']) add(child(node, 'test'), value, `condition to ${value}`)
        break
      case 'WhileStatement':
      case 'ForStatement':
      case 'DoWhileStatement':
        if (node.test !== null) add(child(node, 'test'), 'false', 'condition to false')
        break
      case 'UnaryExpression': {
        const operator = node.operator as string
        const argument = child(node, 'argument')
        if (operator === '!') add(node, `(${textOf(argument)})`, 'negation removed')
        else if (operator === '-') add(node, `(+${textOf(argument)})`, '- to +')
        else if (operator === '+') add(node, `(-${textOf(argument)})`, '+ to -')
        break
      }
      case 'UpdateExpression': {
        const operator = node.operator as string
        add(node, textOf(node).replace(operator, operator === '++' ? '--' : '++'), 'counting turned round')
        break
      }
      case 'AssignmentExpression': {
        const operator = node.operator as string
        const other = ASSIGNMENT[operator]
        if (other !== undefined) add(between(child(node, 'left'), child(node, 'right'), operator), other, `${operator} to ${other}`)
        break
      }
      case 'Literal':
        if (typeof node.value === 'boolean') add(node, String(!node.value), 'boolean turned round')
        else if (typeof node.value === 'string' && role !== 'key') add(node, node.value === '' ? "'mutant'" : "''", 'text')
        else if ('regex' in node && node.regex) for (const text of patternsOf(textOf(node))) add(node, text, 'pattern')
        break
      case 'TemplateLiteral':
        add(node, textOf(node) === '``' ? '`mutant`' : '``', 'text')
        break
      case 'ArrayExpression':
        add(node, (node.elements as unknown[]).length === 0 ? '.mutant' : '[]', 'list')
        break
      case 'ObjectExpression':
        if ((node.properties as unknown[]).length > 0) add(node, '{}', 'object emptied')
        break
      case 'BlockStatement':
        if ((node.body as unknown[]).length > 0) add(node, '{}', 'block emptied')
        break
      case 'ExpressionStatement': {
        const kind = child(node, 'expression').type
        const isWork = ['CallExpression', 'AwaitExpression', 'AssignmentExpression', 'UpdateExpression'].includes(kind)
        if (isWork && parent !== null) add(node, ';', 'statement removed')
        break
      }
      case 'ReturnStatement':
        if (node.argument !== null && RETURNED.has(child(node, 'argument').type)) add(child(node, 'argument'), 'undefined', 'result lost')
        break
      case 'ArrowFunctionExpression':
        if (child(node, 'body').type !== 'BlockStatement' && child(node, 'body').type !== 'Identifier')
          add(child(node, 'body'), 'undefined', 'result lost')
        break
      case 'ContinueStatement':
      case 'BreakStatement':
        add(node, ';', 'statement removed')
        break
      case 'MemberExpression':
        if (node.optional === true) {
          const object = child(node, 'object')
          const place = source.indexOf('?.', object.end)
          add({ start: place, end: place + 2 }, node.computed === true ? '' : '.', 'optional chaining removed')
        }
        break
      case 'CallExpression': {
        const callee = child(node, 'callee')
        if (callee.type !== 'MemberExpression') break
        const property = child(callee, 'property')
        const other = METHODS[textOf(property)]
        if (other !== undefined) add(property, other, `${textOf(property)} to ${other}`)
        if (DROPPED_CALLS.has(textOf(property))) add(node, textOf(child(callee, 'object')), `${textOf(property)} removed`)
        break
      }
    }
    const isAssertion = node.type === 'CallExpression' && textOf(child(node, 'callee')) === 'assert'
    for (const [name, value] of Object.entries(node)) {
      if (name === 'typeAnnotation' || name === 'typeArguments' || name === 'typeParameters' || name === 'returnType') continue
      const isStaticKey = name === 'key' && node.computed !== true
      const nodes = Array.isArray(value) ? value.slice(0, isAssertion && name === 'arguments' ? 1 : value.length) : [value]
      for (const n of nodes) if (isNode(n)) visit(n, node, isStaticKey ? 'key' : name)
    }
  }
  visit(parseAst(source, { lang: 'ts' }) as unknown as Node, null, '')
  const unique = new Map(mutants.map((m) => [`${m.start} ${m.end} ${m.text}`, m]))
  return [...unique.values()].sort((a, b) => a.start - b.start || a.end - b.end)
}

/** A pattern without one of its anchors or repetitions. */
function patternsOf(pattern: string): string[] {
  const found: string[] = []
  const last = pattern.lastIndexOf('/')
  if (pattern[1] === '^') found.push(`/${pattern.slice(2)}`)
  if (pattern[last - 1] === '$') found.push(pattern.slice(0, last - 1) + pattern.slice(last))
  for (const m of pattern.matchAll(/(?<=[\])\w])(\{[\d,]+\}|[*+])/g))
    found.push(pattern.slice(0, m.index) + pattern.slice(m.index + m[0].length))
  return found
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'start' in value
}
