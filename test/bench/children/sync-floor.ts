import { mkdir, mkdtemp, open } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * How fast the disk lets small things become durable: `node sync-floor.js FOLDER UNITS SYNCS IN_FLIGHT` prints the seconds that UNITS times
 * SYNCS fsyncs take with IN_FLIGHT units at once. Each unit has a folder of its own, where new files of 2 KB and the folder itself are synced in
 * turn, one after the other, as a commit does it. UV_THREADPOOL_SIZE bounds how many reach the disk at once.
 * The files stay: whoever is measured next would pay for their removal.
 */
const [root, units, syncs, inFlight] = process.argv.slice(2) as [string, string, string, string]
const CONTENT = Buffer.alloc(2048, 'x')
const folder = await mkdtemp(join(root, 'sync-floor-'))
let next = 0
const began = performance.now()
await Promise.all(
  Array.from({ length: Number(inFlight) }, async () => {
    for (let unit = next++; unit < Number(units); unit = next++) {
      const own = join(folder, String(unit))
      await mkdir(own)
      for (let i = 0; i < Number(syncs); i++) {
        const ofFolder = i % 2 === 1
        const file = ofFolder ? await open(own, 'r') : await open(join(own, String(i)), 'wx')
        if (!ofFolder) await file.write(CONTENT)
        await file.sync()
        await file.close()
      }
    }
  }),
)
process.stdout.write(`${(performance.now() - began) / 1000}\n`)
