/** The file system that a folder lies on, as /proc/self/mountinfo names it (proc(5)). */
export interface Mount {
  readonly point: string
  /** ext4, xfs, nfs4, fuse.sshfs, overlay, … */
  readonly type: string
  readonly readOnly: boolean
}

/** The mount that holds `path` (absolute, links resolved), by the text of mountinfo; null where none does. Later mounts lie over earlier ones. */
export function mountOf(mountinfo: string, path: string): Mount | null {
  let found: Mount | null = null
  for (const line of mountinfo.split('\n')) {
    const [front, back] = line.split(' - ')
    const fields = front?.split(' ') ?? []
    if (back === undefined || fields.length < 6) continue
    // Blank, tab, line feed and backslash stand as octal escapes.
    const point = fields[4]!.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    const below = point === '/' ? path.startsWith('/') : path === point || path.startsWith(`${point}/`)
    if (!below || (found !== null && point.length < found.point.length)) continue
    found = { point, type: back.split(' ')[0]!, readOnly: fields[5]!.split(',').includes('ro') }
  }
  return found
}

/** File systems of other machines: no hints of changes there, and locks and syncs that may be promises only. */
export function isRemote(type: string): boolean {
  return /^(?:nfs4?|cifs|smb3?|smbfs|9p|ceph|glusterfs|lustre|afs|beegfs|gpfs)$/.test(type) || type.startsWith('fuse')
}

/** File systems that are empty after the next start of the machine. */
export function isVolatile(type: string): boolean {
  return type === 'tmpfs' || type === 'ramfs'
}
