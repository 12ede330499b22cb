import { setFlagsFromString } from 'node:v8'

/**
 * Makes this process keep to little memory, for one that mostly waits: what is young is collected after 1 MB instead
 * of 16, and no optimizing compiler is loaded (V8 --help: semi-space-growth-factor, maglev, turbofan). Work of long
 * computations gets several times slower. To be called before anything else is loaded.
 */
export function keepMemorySmall(): void {
  for (const flag of ['--semi-space-growth-factor=1', '--no-maglev', '--no-turbofan'])
    setFlagsFromString(flag)
}
