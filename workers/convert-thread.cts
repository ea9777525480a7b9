/**
 * What Piscina loads in each thread of the pool, in place of convert.js itself. It loads its entry by `require`, and when a thread is ended while
 * Node requires ES modules, as at the exit of a process that had just begun to convert, Node aborts the whole process ("IsGraphAsync must be
 * used on an instantiated module", Node 20). An import has no such place.
 */
const loading = import('./convert.js')
loading.catch((error: unknown) =>
  // A thread without its program is of no use: it ends, and the pool is told.
  setImmediate(() => {
    throw error
  }),
)

type Work = Awaited<typeof loading>['default']

export = async (task: Parameters<Work>[0]): ReturnType<Work> => (await loading).default(task)
