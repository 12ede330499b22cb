export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB
export const TIB = 1024 * GIB

/** A size for people in binary units: "512 B", "1.5 MiB". Input in bytes. */
export function formatBytes(bytes: number): string {
  const steps: readonly (readonly [number, string])[] = [
    [TIB, 'TiB'],
    [GIB, 'GiB'],
    [MIB, 'MiB'],
    [KIB, 'KiB'],
  ]
  for (const [size, name] of steps) {
    // What would round up to 1024 of the smaller unit is one of this unit.
    if (Math.abs(bytes) >= size - size / 2048) {
      const value = bytes / size
      return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${name}`
    }
  }
  return `${Math.round(bytes)} B`
}
