import type { Owner } from './files.ts'

/** Facts about the machine we run on. */
export interface Machine {
  /** Changes with every boot. */
  bootId(): Promise<string>
  memoryBytes(): number
  cpuCount(): number
  hostName(): string
  /** Who runs this process. */
  user(): Owner & { readonly name: string }
  /** The owner of a system user, undefined when there is none. */
  findUser(name: string): Promise<Owner | undefined>
}
