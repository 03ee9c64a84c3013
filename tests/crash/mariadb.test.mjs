import { testEngine } from '../lib/engine_cases.mjs';
import { Cluster } from '../lib/mariadb.mjs';

testEngine(Cluster);
