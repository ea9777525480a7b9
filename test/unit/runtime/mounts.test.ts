import { expect, test } from 'vitest'
import { isRemote, isVolatile, mountOf } from '../../../src/runtime/mounts.js'

const INFO = [
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '30 22 0:30 / /data rw - xfs /dev/sdb1 rw',
  '31 30 0:31 / /data/share\\040of\\040lab rw shared:2 master:3 - nfs4 server:/x rw',
  '32 22 0:32 / /run ro,nosuid - tmpfs tmpfs rw',
  'nonsense',
  '',
].join('\n')

test.for([
  ['/', '/', 'ext4', false],
  ['/home/a', '/', 'ext4', false],
  ['/data', '/data', 'xfs', false],
  ['/database', '/', 'ext4', false],
  ['/data/share of lab/in', '/data/share of lab', 'nfs4', false],
  ['/run/x', '/run', 'tmpfs', true],
] as const)('%s lies on the mount that is nearest above it', ([path, point, type, readOnly]) => {
  expect(mountOf(INFO, path)).toEqual({ point, type, readOnly })
})

test('a mount over another hides it', () => {
  expect(mountOf(`${INFO}\n40 22 0:40 / /data rw - btrfs /dev/sdc rw`, '/data/x')?.type).toBe('btrfs')
})

test('nothing is known of nothing', () => {
  expect(mountOf('', '/x')).toBeNull()
  expect(mountOf(INFO, 'relative')).toBeNull()
})

test('kinds of file systems', () => {
  expect(['nfs', 'nfs4', 'cifs', 'smb3', 'fuse.sshfs', '9p'].every(isRemote)).toBe(true)
  expect(['ext4', 'xfs', 'btrfs', 'zfs', 'tmpfs', 'overlay'].some(isRemote)).toBe(false)
  expect(['tmpfs', 'ramfs', 'ext4', 'overlay'].filter(isVolatile)).toEqual(['tmpfs', 'ramfs'])
})
