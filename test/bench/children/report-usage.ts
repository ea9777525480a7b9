import { readFileSync, writeSync } from 'node:fs'

/**
 * Preloaded into a measured process: on exit it writes CPU seconds and peak memory of the whole process to descriptor 3. Worker threads
 * preload it too, and say the same: the last line counts.
 */
process.on('exit', () => {
  const usage = process.resourceUsage()
  const report = { cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6, peakMb: peakBytes(usage.maxRSS) / 1e6 }
  writeSync(3, `${JSON.stringify(report)}\n`)
})

/** VmHWM where there is one: the kernel's other figure may be that of the process which started this one. */
function peakBytes(maxRssKb: number): number {
  try {
    const kb = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))
    return Number(kb![1]) * 1024
  } catch {
    return maxRssKb * 1024
  }
}
