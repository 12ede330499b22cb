import { ENGINE_VICTIMS } from './cases.ts'
import { trySample } from './sample.fixture.ts'

// The network of the release before is gone by then: what visitors send must not be sent there.
const LOST_ITS_NETWORK = 'migrates, engine after update: guestbook/update.commit'

trySample({ runtime: 'docker', storage: 'btrfs' }, ENGINE_VICTIMS, 3, process.env, [LOST_ITS_NETWORK])
