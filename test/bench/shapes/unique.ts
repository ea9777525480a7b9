import type { Random } from '../random.js'
import type { RowBuffer } from '../row-buffer.js'
import { column, type Shape } from './shape.js'

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Numbers, instants, doubles and texts of which next to none comes twice: no dictionary pays here. The first two columns are keys. */
export const unique: Shape = {
  name: 'unique',
  title: 'unique values everywhere',
  columns: [
    column('sample_id', 'int64', { required: true }),
    column('serial', 'string', { required: true }),
    column('measured_at', 'instant'),
    column('received_at', 'instant'),
    column('pressure', 'double'),
    column('strain', 'double'),
    column('offset_nm', 'int64'),
    column('note', 'string'),
  ],
  row: (out, r, i) => {
    // An odd factor modulo 2^31 goes once through all numbers below it, in no order.
    const scattered = (Math.imul(i, 0x2545f491) >>> 0) & 0x7fffffff
    out.digits(4_000_000_000 + scattered).comma()
    out.ascii('SN-').digits(scattered, 10).byte(45)
    letters(out, r, 6)
    out.comma()
    out.instant(1.2e12 + i * 137 + r.below(137)).comma()
    out.instant(1.3e12 + scattered * 97 + r.below(97)).comma()
    out.fixed(r.belowLarge(9_999_999_999_999), 9).comma()
    out.fixed(scattered * 100_000 + r.below(100_000), 14).comma()
    out.digits(r.belowLarge(2 ** 52)).comma()
    letters(out, r, 8 + r.below(16))
    out.byte(32).digits(i).endRow()
  },
}

/** Columns of texts of which none comes twice. */
export const uniqueTexts: Shape = {
  name: 'unique-texts',
  title: 'unique texts',
  columns: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => column(`text_${name}`, 'string')),
  row: (out, r) => {
    for (let c = 0; c < 6; c++) {
      if (c > 0) out.comma()
      letters(out, r, 12 + r.below(25))
    }
    out.endRow()
  },
}

function letters(out: RowBuffer, r: Random, count: number): void {
  for (let i = 0; i < count; i += 5) {
    let bits = r.bits()
    for (let k = i; k < count && k < i + 5; k++) {
      out.byte(LETTERS.charCodeAt(bits % 36))
      bits = Math.floor(bits / 36)
    }
  }
}
