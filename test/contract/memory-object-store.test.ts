import { MemoryFiles } from '../fuzz/memory-files.js'
import { MemoryBucket } from '../support/memory-bucket.js'
import { objectStoreSuite } from './object-store.suite.js'

// What the simulation of many writers stands on keeps the same contract as the real places.
objectStoreSuite('memory', async () => {
  const files = new MemoryFiles()
  let staged = 0
  return {
    store: new MemoryBucket().client({ files }),
    async stage(bytes) {
      const path = `/staged-${++staged}`
      files.put(path, Buffer.from(bytes))
      return path
    },
    remove: async () => files.clear(),
  }
})
