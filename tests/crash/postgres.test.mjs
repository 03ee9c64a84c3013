import { testEngine } from '../lib/engine_cases.mjs';
import { Cluster } from '../lib/postgres.mjs';

testEngine(Cluster);
