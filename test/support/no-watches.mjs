// Loaded into the program by `--import`: the kernel gives no more than the first few watches. `NO_WATCHES` holds the system's error code and
// how many are given.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [code, granted] = process.env.NO_WATCHES.split(' ')
const { watch } = fs
let left = Number(granted)
fs.watch = (path, ...rest) => {
  if (left-- > 0) return watch(path, ...rest)
  throw Object.assign(new Error(`${code}: System limit for number of file watchers reached, watch '${path}'`), { code, syscall: 'watch' })
}
syncBuiltinESMExports()
