import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFile, nodeFiles } from '../../src/runtime/files.js'
import { LocalObjectStore } from '../../src/store/local-object-store.js'
import { objectStoreSuite } from './object-store.suite.js'

objectStoreSuite('local file system', async () => {
  const root = await mkdtemp(join(tmpdir(), 'parquet-intake-objects-'))
  await mkdir(join(root, 'staging'))
  let staged = 0
  return {
    store: new LocalObjectStore({ files: nodeFiles, root }),
    async stage(bytes) {
      const path = join(root, 'staging', `file-${++staged}`)
      await createFile(nodeFiles, path, bytes)
      return path
    },
    remove: () => rm(root, { recursive: true, force: true }),
  }
})
