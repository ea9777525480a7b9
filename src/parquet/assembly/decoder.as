export { inflate } from './inflate'
export { decodeLevels, decodeCodes } from './hybrid'
export { unpackBits, countBits, countOnes } from './bits'
export { markUsed, checkCodes, gather4, gather8, gather16, spread1, spread4, spread8, spread16, oneNan, compact } from './values'
export {
  startDigest,
  endDigest,
  hashes1,
  hashes4,
  hashes8,
  hashes16,
  hashesOfTexts,
  hashesByRow,
  foldHashes,
} from './digest'
export { splitTexts, hashPlainTexts, offsetsOf, fitting, sum, gatherTexts } from './texts'
export { extremes4, extremes8, extremesDouble, bounds16, boundsTexts } from './statistics'
