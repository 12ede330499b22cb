/** A range of addresses: the first `length` of `bits` bits are those of `first`. */
interface Range {
  readonly first: bigint
  readonly length: number
  readonly bits: 32 | 128
}

/** All addresses that lie in none of these addresses or CIDR ranges, as CIDR ranges. */
export function outsideRanges(ranges: readonly string[]): string[] {
  const inside = ranges.map((range) => parse(range))
  return ([32, 128] as const).flatMap((bits) =>
    without(
      { first: 0n, length: 0, bits },
      inside.filter((range) => range.bits === bits),
    ),
  )
}

function without(whole: Range, inside: readonly Range[]): string[] {
  const touching = inside.filter((range) => covers(whole, range) || covers(range, whole))
  if (touching.length === 0) return [format(whole)]
  if (touching.some((range) => covers(range, whole))) return []
  const length = whole.length + 1
  const half = { ...whole, length }
  const upper = { ...half, first: whole.first | (1n << BigInt(whole.bits - length)) }
  return [half, upper].flatMap((part) => without(part, touching))
}

function covers(outer: Range, inner: Range): boolean {
  const rest = BigInt(outer.bits - outer.length)
  return outer.length <= inner.length && outer.first >> rest === inner.first >> rest
}

function parse(range: string): Range {
  const [address = '', length] = range.split('/')
  const bits = address.includes(':') ? 128 : 32
  const digits = bits === 32 ? ipv4Words(address) : ipv6Words(address)
  const size = bits === 32 ? 8n : 16n
  const first = digits.reduce((value, word) => (value << size) | BigInt(word), 0n)
  return { first, length: length === undefined ? bits : Number(length), bits }
}

const ipv4Words = (address: string) => address.split('.').map(Number)

function ipv6Words(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const words = (text: string | undefined): number[] =>
    (text ?? '')
      .split(':')
      .filter((part) => part !== '')
      .flatMap((part) => {
        if (!part.includes('.')) return [Number.parseInt(part, 16)]
        const [a = 0, b = 0, c = 0, d = 0] = ipv4Words(part)
        return [a * 256 + b, c * 256 + d]
      })
  const [before, after] = [words(head), words(tail)]
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function format({ first, length, bits }: Range): string {
  const size = bits === 32 ? 8 : 16
  const words = Array.from({ length: bits / size }, (_, index) =>
    Number((first >> BigInt(bits - size * (index + 1))) & BigInt(2 ** size - 1)),
  )
  const address = bits === 32 ? words.join('.') : words.map((word) => word.toString(16)).join(':')
  return `${address}/${length}`
}
