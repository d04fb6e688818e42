/** A process of the leases' test: holds one connection until it is killed. */
import { once } from 'node:events';
import { createLogger } from '../logging.js';
import { connectRedis } from '../redis.js';
import { ConnectionLeases, type LeaseTimes } from './connection-leases.js';

export interface HolderOrder {
  key: string;
  times: LeaseTimes;
}

const logger = createLogger('holder', 'silent');
const redis = connectRedis(process.env.REDIS_URL!, 'hw', logger);
await once(redis.commands, 'ready');

process.on('message', async ({ key, times }: HolderOrder) => {
  const leave = await new ConnectionLeases(redis, logger, times).enter(key, 1);
  process.send!(leave ? 'entered' : 'refused');
});
process.once('disconnect', () => process.exit());
process.send!('ready');
