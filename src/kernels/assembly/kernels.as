export { countByte, skipRecords, tokenise } from './tokenise'
export { lookup, fillSlots } from './lookup'
export { shapedCodes, placeCodes } from './shapes'
export { packBits, encodeHybrid8, encodeHybrid32 } from './hybrid'
export { snappyCompress, snappyFixed, snappyTexts } from './snappy'
export { parseInt32, parseInt64, parseDecimal32, parseDecimal64 } from './integers'
export { parseDouble } from './doubles'
export { parseDate, parseTimestamp, parseTime } from './times'
export { copyTexts } from './texts'
export {
  keepRows,
  renumber,
  mapCodes,
  gather1,
  gather4,
  gather8,
  gather16,
  gatherLengths,
  gatherTexts,
  lengthsOf,
  offsetsOf,
  compact1,
  compact4,
  compact8,
  compact16,
  interleaveTexts,
  packBits8,
  extremesInt32,
  extremesInt64,
  extremesDouble,
  extremesTexts,
  fixedFields,
  textFields,
  entryFields,
} from './columns'
export { hashFixed1, hashFixed4, hashFixed8, hashFixed16, hashTexts, foldRows } from './digests'
export { takeCodes, codeFixed, codeTexts, rowSpans, tallySpans, scatterSpans } from './records'
