import { writeSync } from 'node:fs'

/** Preloaded into a measured process: on exit it writes CPU seconds and peak memory to descriptor 3. */
process.on('exit', () => {
  const usage = process.resourceUsage()
  writeSync(3, JSON.stringify({ cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6, peakMb: usage.maxRSS / 1024 }))
})
