import type { Owner } from './files.ts'
import type { Machine } from './machine.ts'

export interface FakeMachineFacts {
  readonly bootId: string
  readonly memoryBytes: number
  readonly cpuCount: number
  readonly hostName: string
  readonly user: Owner & { readonly name: string }
  /** System users by name. */
  readonly users: Readonly<Record<string, Owner>>
}

/** A machine of which a test knows and changes the facts: an ordinary user, 4 GiB, two processors. */
export class FakeMachine implements Machine {
  facts: FakeMachineFacts

  constructor(facts: Partial<FakeMachineFacts> = {}) {
    const user = { uid: 1000, gid: 1000, name: 'operator' }
    this.facts = {
      bootId: 'fake-boot',
      memoryBytes: 4 * 2 ** 30,
      cpuCount: 2,
      hostName: 'appliance',
      user,
      users: { root: { uid: 0, gid: 0 }, [user.name]: { uid: user.uid, gid: user.gid } },
      ...facts,
    }
  }

  async bootId(): Promise<string> {
    return this.facts.bootId
  }

  memoryBytes(): number {
    return this.facts.memoryBytes
  }

  cpuCount(): number {
    return this.facts.cpuCount
  }

  hostName(): string {
    return this.facts.hostName
  }

  user(): Owner & { readonly name: string } {
    return this.facts.user
  }

  async findUser(name: string): Promise<Owner | undefined> {
    return this.facts.users[name]
  }
}
