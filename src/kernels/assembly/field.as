/** A field without its quotes: the start of the text in the low half, its end in the high half. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function textOf(field: u32, quote: u32): u64 {
  let start = load<u32>(field)
  let end = load<u32>(field, 4) - 1
  if (quote != 0 && start < end && load<u8>(start) == <u8>quote) {
    start++
    end--
  }
  return <u64>start | (<u64>end << 32)
}
