import { ENGINE_VICTIMS } from './cases.ts'
import { trySample } from './sample.fixture.ts'

trySample({ runtime: 'docker', storage: 'btrfs' }, ENGINE_VICTIMS, 4, process.env)
