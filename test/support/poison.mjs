// Loaded into the program by `--import`: whoever converts a drop whose first line names one of these stops as the name says. Only threads
// that convert and the process for one drop alone open source.csv to read it; the daemon's own thread writes it.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const STOPS = {
  // Not process.abort(), which threads must not call.
  poison_abort: () => process.kill(process.pid, 'SIGABRT'),
  poison_exit: () => process.exit(7),
  poison_hang: () => {
    for (;;);
  },
  poison_heap: () => {
    for (const kept = []; ; ) kept.push(new Array(100_000).fill().map((_, i) => ({ i })))
  },
}

const converts = !isMainThread || process.argv[1].endsWith('convert-alone.js')
if (converts) {
  const { openSync, readSync } = fs
  fs.openSync = (path, ...rest) => {
    const descriptor = openSync(path, ...rest)
    if (String(path).endsWith('/source.csv')) {
      const head = Buffer.alloc(64)
      readSync(descriptor, head, 0, head.length, 0)
      STOPS[/^id,(poison_\w+)/.exec(head.toString('latin1'))?.[1]]?.()
    }
    return descriptor
  }
  syncBuiltinESMExports()
}
