import { VICTIMS } from './cases.ts'
import { trySample } from './sample.fixture.ts'

trySample({ runtime: 'process', storage: 'directory' }, VICTIMS, 6, process.env)
