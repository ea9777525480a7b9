import { type CellParser, type CellProblem, describeJs, type Scalar, typeProblem } from './cell.js'
import { compactJson, type JsonOutcome, jsonTextOf } from './json-text.js'

const GEOJSON_TYPES = new Set([
  'Point',
  'MultiPoint',
  'LineString',
  'MultiLineString',
  'Polygon',
  'MultiPolygon',
  'GeometryCollection',
  'Feature',
  'FeatureCollection',
])

/** Table Schema `object`, `array` and `geojson`: JSON text (logical type JSON), compact, numbers as written. */
export function jsonParser(options: { kind: 'object' | 'array' | 'geojson' | 'topojson' }): CellParser {
  const { kind } = options
  const top = kind === 'array' ? 'array' : 'object'
  const wrongKind = typeProblem(`expected a JSON ${top}`)

  const accept = (outcome: JsonOutcome): Scalar | CellProblem => {
    if (!outcome.ok) return typeProblem(outcome.message === 'expected JSON' ? `expected a JSON ${top}` : outcome.message)
    if (outcome.kind !== top) return wrongKind
    if (kind === 'geojson' || kind === 'topojson') {
      const { type } = JSON.parse(outcome.text) as { type?: unknown }
      if (kind === 'topojson' ? type !== 'Topology' : typeof type !== 'string' || !GEOJSON_TYPES.has(type)) {
        return typeProblem(kind === 'topojson' ? 'expected a TopoJSON object' : 'expected a GeoJSON object')
      }
    }
    return outcome.text
  }

  return {
    logical: { kind: 'json' },
    ordered: false,
    lengthOf: kind === 'array' || kind === 'object' ? jsonLength : null,
    parse: (text) => accept(compactJson(text)),
    fromJs(value) {
      if (typeof value !== 'object') return typeProblem(`expected a JSON ${top}, not ${describeJs(value)}`)
      return accept(jsonTextOf(value))
    },
    format: String,
  }
}

/** Items of an array, members of an object. */
export function jsonLength(value: Scalar): number {
  return Object.keys(JSON.parse(value as string) as object).length
}
