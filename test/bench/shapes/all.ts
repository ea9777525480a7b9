import { mixed } from './mixed.js'
import { nonAscii, nulls, quotedTexts, wide } from './others.js'
import type { Shape } from './shape.js'
import { unique, uniqueTexts } from './unique.js'

const SHAPES: readonly Shape[] = [mixed, unique, uniqueTexts, wide, quotedTexts, nonAscii, nulls]

export function shapeNamed(name: string): Shape {
  const shape = SHAPES.find((s) => s.name === name)
  if (shape === undefined) throw new Error(`There is no shape ${name}`)
  return shape
}
